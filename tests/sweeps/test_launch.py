"""``luthier.sweep``: a private server, an agent, the tables of what came of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

import luthier
from luthier.cli.commands import luthier as command
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError, ServerError
from luthier.sweeps import private_server as module
from luthier.sweeps.launch import config_text
from tests.agent.protocol import SWEEP, Protocol

CONFIG = {
    "method": "random",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"lr": {"min": 0.0, "max": 1.0}, "deep": {"parameters": {"er": {"value": 3}}}},
    "run_cap": 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with a private server; it ends with the tests of this file."""
    place = tmp_path_factory.mktemp("private")
    yield place
    pid = json.loads((place / "luthier_server" / "ready.json").read_text())["pid"]
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            break
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _here(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    monkeypatch.delenv("LUTHIER_API_KEY", raising=False)
    monkeypatch.setenv("LUTHIER_SERVER", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def train(config):
    for step in range(3):
        luthier.log({"loss": (config["lr"] - 0.3) ** 2 + config["deep"]["er"] - step, "step": step})
    print("trained")


def test_the_whole_way_on_one_machine(folder, capsys, tmp_path):
    sweep = luthier.sweep(CONFIG, project="digits", local=True)
    said = capsys.readouterr().err
    assert "a private server is at http://127.0.0.1:" in said and "kill" in said and sweep in said
    assert (folder / "luthier_server" / "luthier.db").exists()
    ended = luthier.agent(sweep, function=train, concurrency=2, quiet=True)
    assert ended.code == 0 and ended.counts == {"finished": 4}

    api = luthier.Api()
    found = api.sweep(sweep)
    assert found.state == "FINISHED" and found.best_config["deep"] == {"er": 3}
    assert list(api.sweeps("digits")["id"]) == [sweep] and len(api.sweeps()) == 1
    runs = found.runs()
    assert len(runs) == 4 and set(runs["state"]) == {"finished"}
    history = found.history()
    assert len(history) == 12 and set(history["run"]) == set(runs["id"])
    run = api.run(runs["id"][0])
    assert list(run.history()["step"]) == [0, 1, 2] and run.summary["step"] == 2
    assert list(run.output()) == ["trained"] and run.config["deep"] == {"er": 3}
    assert len(run.files()) == 0
    with pytest.raises(ServerError, match="404"):
        api.sweep("nosweep1")


def test_the_second_sweep_finds_the_server_of_the_first(folder, capsys):
    luthier.sweep(CONFIG, local=True)
    assert "a private server" not in capsys.readouterr().err
    assert os.environ["LUTHIER_SERVER"] == json.loads((folder / "luthier_server" / "ready.json").read_text())["url"]


def test_a_config_may_ask_for_it(folder, capsys):
    sweep = luthier.sweep({**CONFIG, "controller": {"type": "local"}})
    assert sweep in capsys.readouterr().err


def test_a_checkpoint_goes_through_the_real_server(folder, tmp_path):
    def save(config):
        import pathlib

        target = pathlib.Path(luthier.init().dir) / "ckpt"
        target.mkdir()
        (target / "w").write_text("weights")
        luthier.log({"loss": 1.0}, checkpoint=target)

    sweep = luthier.sweep({**CONFIG, "run_cap": 1}, local=True)
    luthier.agent(sweep, save, quiet=True)
    api = luthier.Api()
    run = api.run(api.sweep(sweep).runs()["id"][0])
    (path,) = run.files()["path"]
    run.download(path, tmp_path / "c.zip")
    assert path == "checkpoints/1-000001.zip" and (tmp_path / "c.zip").stat().st_size > 100
    assert list(run.history()["_checkpoint"]) == [path]


def test_the_command_makes_and_steers(folder, tmp_path):
    url = module.private_server(folder)
    (tmp_path / "s.yaml").write_text(json.dumps({**CONFIG, "program": "train.py"}))
    runner = CliRunner()
    made = runner.invoke(command, ["sweep", str(tmp_path / "s.yaml"), "--server", url, "--name", "mine"])
    sweep = made.stdout.strip()
    assert made.exit_code == 0 and len(sweep) == 8
    steps = [
        ("--pause", "PAUSED", "paused"),
        ("--resume", "RUNNING", "goes on"),
        ("--cancel", "CANCELED", "runs end now"),
    ]
    for option, wanted, told in steps:
        done = runner.invoke(command, ["sweep", option, f"{url}/sweeps/{sweep}"])
        assert done.exit_code == 0 and told in done.stderr
        assert luthier.Api(url).sweep(sweep).about["wanted"] == wanted
    wrong = runner.invoke(command, ["sweep", "--server", url, str(tmp_path / "none.yaml")])
    assert wrong.exit_code == 2 and len(wrong.stderr.splitlines()) == 1
    bad = runner.invoke(command, ["sweep", "--stop", "nosweep1", "--server", url])
    assert bad.exit_code == 2 and "404" in bad.stderr


def test_login_keeps_a_key_that_works(folder):
    url = module.private_server(folder)
    done = CliRunner().invoke(command, ["login", "--server", url], input="lut_abcdefgh\n")
    assert done.exit_code == 0, done.output
    assert "lut_" not in done.output and "credentials" in done.output
    odd = CliRunner().invoke(command, ["login", "--server", url], input="a b\n")
    assert odd.exit_code == 2 and "a b" not in odd.output


# -- what can be a config ----------------------------------------------------------------------------------------------
def test_configs_in_all_their_forms(tmp_path):
    text = "method: random\nrun_cap: 4\n"
    (tmp_path / "a: b.yaml").write_text(text)
    for given in (tmp_path / "a: b.yaml", str(tmp_path / "a: b.yaml"), text, {"method": "random", "run_cap": 4}):
        assert config_text(given) == text
    assert config_text({"a": (1, 2)}) == "a:\n- 1\n- 2\n"


def test_what_is_no_config(tmp_path):
    with pytest.raises(BadArgument, match=r"none.yaml.*a dict"):
        config_text("none.yaml")
    for wrong in (3, None, ["a"]):
        with pytest.raises(BadArgumentType, match="config="):
            config_text(wrong)
    with pytest.raises(BadArgument, match="config="):
        config_text({"a": object()})


def test_local_and_elsewhere_exclude_each_other():
    with pytest.raises(BadArgument, match="local="):
        luthier.sweep(CONFIG, local=True, server="http://elsewhere:1")


def test_a_server_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(LuthierError, match="cannot be started"):
        module.private_server(tmp_path)


def test_warnings_are_shown(tmp_path, monkeypatch, capsys):
    server = Protocol([])
    try:
        monkeypatch.setattr(
            "luthier.sweeps.launch.Client.create_sweep",
            lambda *_, **__: {"sweep": SWEEP, "url": "u", "warnings": ["early_terminate has no effect"]},
        )
        assert luthier.sweep(CONFIG, server=server.url) == SWEEP
    finally:
        server.close()
    said = capsys.readouterr().err
    assert "early_terminate has no effect" in said
    assert f"luthier: its runs start with: luthier agent {SWEEP} --server {server.url}\n" in said


def test_importing_luthier_starts_nothing():
    code = "import luthier, sys; luthier.sweep; luthier.Api; luthier.init; luthier.agent; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not set(done.stdout.split()) & {"numpy", "pandas", "httpx", "yaml", "fastapi", "sqlalchemy"}
