"""W&B's own client, and all that it starts, reaches its server and nobody else, not even for a name."""

from __future__ import annotations

import sys

import pytest

from tests.server.wandb.contacts import contacts, traced

SEEN = """\
7 connect(3, {sa_family=AF_INET, sin_port=htons(8017), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
7 connect(3, {sa_family=AF_UNIX, sun_path="/tmp/x"}, 110) = -1 ENOENT (No such file or directory)
7 sendto(3, ""..., 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20
8 connect(4, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), \
sin6_scope_id=0}, 28 <unfinished ...>
8 connect(4, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::ffff:127.0.0.1", \
&sin6_addr), sin6_scope_id=0}, 28) = 0
8 sendto(4, ""..., 9, MSG_NOSIGNAL, NULL, 0) = 9
"""
ODD = """\
7 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("35.186.228.49")}, 16) = -1 EINPROGRESS
7 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}, 16) = 0
7 sendto(3, ""..., 9, 0, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("10.0.0.1")}, 16) = 9
7 sendmmsg(3, [{msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("10.0.0.1")}, \
msg_namelen=16}, msg_len=9}], 1, 0) = 1
7 connect(4, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", \
&sin6_addr), sin6_scope_id=0}, 28) = 0
7 connect(4, {sa_family=AF_UNIX, sun_path="/run/systemd/resolve/io.systemd.Resolve"}, 42) = 0
7 connect(4, {sa_family=AF_VSOCK, svm_cid=0x2, svm_port=0x1}, 16) = 0
""".splitlines()


def test_what_leaves_the_machine_is_told_from_what_stays():
    found = contacts(SEEN)
    assert len(found) == 5
    assert all(contact.stays_here for contact in found)
    for line in ODD:
        assert [contact.stays_here for contact in contacts(SEEN + line)].count(False) == 1, line


# To "connect" a socket of UDP sends nothing; that it was asked for is what is to be seen.
STRAYS = """
import socket, subprocess, sys
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"], check=True)
else:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
    for family, where in ((socket.AF_INET, ("192.0.2.1", 9)), (socket.AF_INET6, ("2001:db8::1", 9))):
        try:
            socket.socket(family, socket.SOCK_DGRAM).connect(where)
        except OSError as error:
            print(error)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 53))
"""
WORK = """
import pathlib, wandb
def train():
    with wandb.init() as run:
        run.log({"loss": run.config.lr})
with wandb.init(project="p", id="one") as run:
    for step in range(3):
        run.log({"loss": step})
    run.log({"t": wandb.Table(columns=["x"], data=[[1]])})
    pathlib.Path("model.bin").write_bytes(b"weights")
    model = wandb.Artifact("model", type="model")
    model.add_file("model.bin")
    run.log_artifact(model).wait()
with wandb.init(project="p", id="two") as run:
    print("MODEL", pathlib.Path(run.use_artifact("model:latest").download(root="down"), "model.bin").read_text())
grid = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [1, 2]}}}
sweep = wandb.sweep(grid, project="p")
wandb.agent(sweep, function=train, project="p")
api = wandb.Api()
print("RUNS", sorted(run.id for run in api.runs("luthier/p")))
print("BEST", api.sweep(f"luthier/p/{sweep}").best_run().summary["loss"])
"""
GRID = "method: grid\nmetric: {name: loss}\nparameters: {lr: {values: [1, 2]}}\n"
PROGRAM = "import wandb\nrun = wandb.init()\nrun.log({'loss': run.config.lr})\nrun.finish()\n"


@pytest.mark.slow  # and wants ptrace: make wandb
def test_processes_that_reach_out_are_noticed(tmp_path):
    import subprocess

    (tmp_path / "strays.py").write_text(STRAYS)
    command = [*traced(tmp_path / "trace"), sys.executable, str(tmp_path / "strays.py")]
    subprocess.run(command, check=True, timeout=60, cwd=tmp_path)
    strays = {(one.host, one.port) for one in contacts((tmp_path / "trace").read_text()) if not one.stays_here}
    assert strays == {("192.0.2.1", 9), ("2001:db8::1", 9), ("127.0.0.1", 53)}


@pytest.mark.slow
@pytest.mark.parametrize("telemetry", ["false", "true"])
def test_the_client_reaches_nobody_but_its_server(place, telemetry):
    """Runs, tables, artifacts, sweeps, both kinds of agents, Api; the client's telemetry goes to its server, too."""
    (place.directory / "program.py").write_text(PROGRAM)
    sweep = place.post("/api/v1/sweeps", config=f"program: program.py\nproject: p\n{GRID}").json()["sweep"]
    trace = place.directory / "trace"
    said = {"WANDB_ERROR_REPORTING": telemetry, "WANDB_X_DISABLE_STATS": "false"}
    place.before = traced(trace)
    printed = place.script(WORK, **said)
    assert "MODEL weights" in printed, printed
    first = contacts(trace.read_text())
    if telemetry == "false":
        place.command("login", "--verify", **said)
        first += contacts(trace.read_text())
        place.command("agent", sweep, **said)
        first += contacts(trace.read_text())
    strays = [one.line for one in first if not one.stays_here]
    assert strays == []
    assert {(one.host, one.port) for one in first if one.host} >= {("127.0.0.1", place.port)}
    assert place.get(f"/sweeps/{sweep}")["state"] == ("FINISHED" if telemetry == "false" else "PENDING")
