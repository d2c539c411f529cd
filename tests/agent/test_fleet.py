"""``luthier agent --wandb``: how W&B's agents are started and ended; here they are programs of the tests' own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from luthier.agent.fleet import as_the_client
from luthier.core.errors import BadArgument
from luthier.sweeps.credentials import keep
from tests.agent.protocol import SWEEP
from tests.agent.test_agent import gone

SAYS = """
import json, os, sys
names = ("CUDA_VISIBLE_DEVICES", "WANDB_BASE_URL", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_RUN_ID")
print("SAYS " + json.dumps([sys.argv[1:], {name: os.environ.get(name) for name in names}]))
print("no end of line", end="", file=sys.stderr)
"""
# As W&B's: what it runs is in a process group of its own, its service in a session of its own; after SIGINT it waits.
# Output is not buffered, and both write to one pipe: a line in one piece.
WAITS = """
import signal, subprocess, sys, time
code = "import signal, sys, time\\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\\n" + {heeds!r}
code += "\\nsys.stdout.write('ready\\\\n')\\ntime.sleep(60)"
run = subprocess.Popen([sys.executable, "-c", code], process_group=0)
service = subprocess.Popen(["sleep", "60"], start_new_session=True)
try:
    sys.stdout.write(f"PIDS {run.pid} {service.pid}\\n")
    run.wait()
except KeyboardInterrupt:
    sys.stdout.write("waiting\\n")
    run.wait()
"""
HEEDS = "signal.signal(signal.{0}, lambda *_: (sys.stdout.write('{0}\\n'), sys.exit(0)))"


@pytest.fixture
def start(serve, tmp_path, monkeypatch):
    """Return a function that starts ``luthier agent --wandb`` with agents that run *code*."""
    started = []
    (tmp_path / "there" / "wandb").mkdir(parents=True)
    (tmp_path / "there" / "wandb" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "there"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("WANDB_BASE_URL", "https://elsewhere.example")
    monkeypatch.setenv("WANDB_RUN_ID", "another")

    def agents(code, *options, config="program: train.py\nmethod: random\nparameters: {x: {value: 1}}\n"):
        server = serve("unused", config=config)
        server.files[f"sweeps/{SWEEP}"] = json.dumps(server.sweep).encode()
        (tmp_path / "there" / "wandb" / "__main__.py").write_text(code)
        command = [sys.executable, "-m", "luthier", "agent", SWEEP, "--wandb", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return server, process

    yield agents
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_until(process, *texts):
    """Return what *process* has told, to the line with which each of *texts* was in one of its own."""
    lines: list[str] = []
    left = list(texts)
    while left:
        lines.append(process.stderr.readline())
        assert lines[-1], lines
        found = next((text for text in left if text in lines[-1]), None)
        if found is not None:
            left.remove(found)
    return lines


READY = ("| ready", "| PIDS")  # what an agent and its program tell when both are at it


def pids_in(lines):
    return [int(pid) for line in lines if "PIDS" in line for pid in line.partition("PIDS ")[2].split()]


def wait_until_gone(pids):
    end = time.monotonic() + 10
    while not all(map(gone, pids)):
        assert time.monotonic() < end, pids
        time.sleep(0.01)


def test_one_for_each_gpu_with_its_share_of_the_count_and_the_way_to_the_server(start, monkeypatch):
    monkeypatch.setenv("LUTHIER_API_KEY", "luthier_" + "k" * 40)
    server, agents = start(SAYS, "--gpus", "0,3", "--count", "5")
    _, err = agents.communicate(timeout=20)
    assert agents.returncode == 0, err
    said = {who: json.loads(text) for who, _, text in (x.partition(" | SAYS ") for x in err.splitlines()) if text}
    assert said.keys() == {"agent 0 (gpu 0)", "agent 1 (gpu 3)"}
    assert [said[who][0] for who in sorted(said)] == [
        ["agent", "--count", "3", SWEEP],
        ["agent", "--count", "2", SWEEP],
    ]
    assert [said[who][1]["CUDA_VISIBLE_DEVICES"] for who in sorted(said)] == ["0", "3"]
    for _, environ in said.values():
        assert (environ["WANDB_BASE_URL"], environ["WANDB_PROJECT"]) == (server.url, "tests")
        assert (environ["WANDB_API_KEY"], environ["WANDB_RUN_ID"]) == ("luthier_" + "k" * 40, None)
    assert err.count("| no end of line\n") == 2
    assert "2 agents of W&B's have ended (done)" in err


def test_the_variables_of_wandb_say_where_the_server_is_if_nothing_else_does(serve, monkeypatch):
    server = serve("unused").url
    key = "luthier_" + "k" * 40
    monkeypatch.setenv("WANDB_API_KEY", key)
    for base, luthiers, given, expected in (
        (f"{server}/", "", None, (server, key)),
        ("https://elsewhere.example", server, None, (None, None)),  # then LUTHIER_SERVER counts, with its own key
        (server, server, None, (None, key)),
        (server, "", server, (server, key)),
        ("https://elsewhere.example", "", server, (server, None)),
        ("https://api.wandb.ai", "", None, (None, None)),
        ("", "", None, (None, None)),
    ):
        monkeypatch.setenv("WANDB_BASE_URL", base)
        monkeypatch.setenv("LUTHIER_SERVER", luthiers)
        assert as_the_client(given, None) == expected, (base, luthiers, given)
    monkeypatch.setenv("WANDB_BASE_URL", server)
    assert as_the_client(None, "mine") == (server, "mine")
    keep(server, "kept")
    assert as_the_client(None, None) == (server, "kept")
    monkeypatch.setenv("LUTHIER_API_KEY", "another")
    assert as_the_client(server, None) == (server, None)
    monkeypatch.setenv("WANDB_BASE_URL", "http://[nowhere")
    assert as_the_client(server, None) == (server, None)
    with pytest.raises(BadArgument, match="nowhere"):
        as_the_client(None, None)


def test_without_gpus_there_are_as_many_as_asked_and_any_key_will_do(start):
    _, agents = start(SAYS, "--gpus", "none", "--concurrency", "2")
    _, err = agents.communicate(timeout=20)
    said = [json.loads(line.partition(" | SAYS ")[2]) for line in err.splitlines() if "SAYS" in line]
    assert [argv for argv, _ in said] == [["agent", SWEEP]] * 2, err
    assert all(len(environ["WANDB_API_KEY"].partition("-")[2]) == 40 for _, environ in said)
    assert "agent 0 | " in err and "agent 1 | " in err


def test_an_exit_code_is_passed_on_and_quiet_shows_only_what_is_wrong(start):
    code = "import os, sys\nprint('odd')\nsys.exit(3 if os.environ['CUDA_VISIBLE_DEVICES'] == '1' else 0)"
    _, agents = start(code, "--gpus", "0,1", "--quiet")
    out, err = agents.communicate(timeout=20)
    assert (agents.returncode, out) == (3, "")
    told = [line.partition(" ")[2] for line in err.splitlines()]
    assert told == ["agent 1 (gpu 1) has ended: exit code 3", "2 agents of W&B's have ended (failed)"]


@pytest.mark.parametrize("heeded", ["SIGINT", "SIGTERM"])
def test_ctrl_c_reaches_what_they_run_and_sigterm_what_does_not_heed_it(start, heeded):
    code = WAITS.replace("{heeds!r}", repr(HEEDS.format(heeded)))
    _, agents = start(code, "--gpus", "0,1", "--grace", "30" if heeded == "SIGINT" else "2")
    lines = read_until(agents, *READY, *READY)
    agents.send_signal(signal.SIGINT)
    _, err = agents.communicate(timeout=20)
    assert agents.returncode == 130 and err.count(f"| {heeded}\n") == 2, err
    assert err.count("| waiting\n") == 2 and "Traceback" not in err, "the agents themselves wait for their runs"
    assert "interrupted: what runs here is asked to end" in err and "have ended (interrupted)" in err
    wait_until_gone(pids_in([*lines, *err.splitlines()]))


def test_what_heeds_nothing_is_killed_and_so_it_is_at_the_second_ctrl_c(start):
    for grace, twice in [("0.2", False), ("60", True)]:
        _, agents = start(
            WAITS.replace("{heeds!r}", "'signal.signal(signal.SIGTERM, signal.SIG_IGN)'"), "--grace", grace
        )
        lines = read_until(agents, *READY)
        agents.send_signal(signal.SIGINT)
        if twice:
            lines += read_until(agents, "interrupted")
            agents.send_signal(signal.SIGINT)
        _, err = agents.communicate(timeout=20)
        assert agents.returncode == 130, err
        wait_until_gone(pids_in([*lines, *err.splitlines()]))


def test_kill_9_leaves_nothing_behind(start):
    _, agents = start(WAITS.replace("{heeds!r}", repr(HEEDS.format("SIGTERM"))), "--concurrency", "2")
    lines = read_until(agents, *READY, *READY)
    agents.kill()
    _, err = agents.communicate(timeout=20)
    found = pids_in([*lines, *err.splitlines()])
    assert len(found) == 4
    wait_until_gone(found)


@pytest.mark.parametrize(
    ("options", "config", "wrong"),
    [
        (["--lease", "9"], None, "--lease is nothing that W&B's agents know"),
        (["--name", "me"], None, "--name is nothing that W&B's agents know"),
        (["--workdir", "nothere"], None, "a directory that exists"),
        ([], "method: random\nparameters: {x: {value: 1}}\n", "has no program: wandb.agent('fm923t32', function=...)"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(start, options, config, wrong):
    _, agents = start(SAYS, *options, **({} if config is None else {"config": config}))
    _, err = agents.communicate(timeout=20)
    assert agents.returncode == 2 and len(err.splitlines()) == 1 and wrong in err, err


def test_without_wandb_it_says_what_to_install(start, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    from luthier.agent import fleet
    from luthier.core.errors import MissingLibrary

    monkeypatch.setattr(fleet, "find_spec", lambda name: None)
    with pytest.raises(MissingLibrary, match=r"luthier agent --wandb needs wandb: pip install 'luthier\[wandb\]'"):
        fleet.fleet(SWEEP)
