# The process that tells W&B, with the real client: what is in its files, and what it survives.
from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from luthier.callbacks.wandb import telling as telling_module
from luthier.core import events as ev
from luthier.core.terms import Outcome, Ref, Status, TrialId
from tests.tune.logger.wandb_file import runs_below
from tests.tune.logger.wandb_server import serving
from tests.tune.logger.wandb_story import Story, gone

KEY = "c3" * 20


@pytest.fixture(autouse=True)
def _offline(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path / "e")


def test_steps_that_go_back_after_an_exploit_are_told_and_the_new_config_is_seen(story):
    # (W&B drops rows whose step is not above the last; of Ray's integration nobody sees the new config either)
    story.born("t0", lr=0.1, layers={"width": 8})
    story.launched("t0", lr=0.1, layers={"width": 8})
    for i in (1, 2, 3):
        story.reported("t0", i, loss=1 / i)
    story.exited("t0", Outcome.HALTED)
    story.launched("t0", lr=0.5, layers={"width": 8})
    for i in (2, 3, 4):
        story.reported("t0", i, loss=i)
    story.ended("t0")
    assert story.telling().finish()

    (run,) = runs_below(story.directory)
    assert run.column("training_iteration") == [1, 2, 3, 2, 3, 4]
    assert run.column("loss") == [1, 0.5, 1 / 3, 2, 3, 4]
    assert run.column("_step") == [1, 2, 3, 4, 5, 6]
    assert run.config["lr"] == 0.5
    assert run.column("config/lr") == [0.1, 0.5, 0.5, 0.5]  # from the last row before the change on
    assert run.column("config/layers/width") == []


def test_trials_that_pause_keep_their_runs_and_many_of_them_take_no_room(story):
    trials = [f"t{i}" for i in range(36)]  # more than stay open
    for trial in trials:
        story.born(trial, x=1)
        story.launched(trial, x=1)
        story.reported(trial, 1, loss=1)
        story.exited(trial, Outcome.HALTED)
    for trial in trials:
        story.launched(trial, x=1)
        story.reported(trial, 2, loss=2)
        story.ended(trial)
    assert story.telling().finish()
    found = runs_below(story.directory)
    for trial in trials:
        mine = [run for run in found if run.name == f"f_{trial}"]
        assert len({run.run_id for run in mine}) == 1
        assert [loss for run in mine for loss in run.column("loss")] == [1, 2]
        assert [loss for run in mine for loss in run.column("_step")] == [1, 2]
        assert [run.preempting for run in mine] == [True] * (len(mine) - 1) + [False]
        assert mine[-1].exit_code == 0
    assert len(trials) < len(found) < 2 * len(trials)  # some had to be closed meanwhile, most had not


def test_two_trials_never_share_a_run_not_even_where_one_id_is_asked_for(story):
    # ray#29916: runs that overwrite each other
    for trial in ("t0", "t1"):
        story.born(trial)
        story.launched(trial)
        story.reported(trial, 1, loss=1)
        story.ended(trial, Status.FAILED if trial == "t1" else Status.STOPPED)
    assert story.telling(init={"id": "best", "name": "same", "group": "g"}).finish()
    first, second = sorted(runs_below(story.directory), key=lambda run: run.run_id)
    assert (first.run_id, first.exit_code) == ("best", 0)
    assert (second.run_id, second.exit_code) == ("best-t1", 1)
    assert {first.name, second.name, first.group, second.group} == {"same", "g"}


def test_a_process_that_is_killed_is_started_again_and_nothing_is_lost(story, caplog):
    # ray#37709, #33129: what came after the death of the logger, or before, was gone
    story.born("t0")
    story.launched("t0")
    story.reported("t0", 1, loss=1)
    telling = story.telling()
    first = telling.pid
    _until(lambda: runs_below_exist(story.directory))
    os.kill(first, signal.SIGKILL)
    story.reported("t0", 2, loss=2)
    _until(lambda: telling.pid != first)
    story.reported("t0", 3, loss=3)
    story.ended("t0")
    assert telling.finish()
    *_, last = runs_below_whole(story.directory)
    assert (last.column("loss"), last.column("_step"), last.exit_code) == ([1, 2, 3], [1, 2, 3], 0)
    assert not troubles(caplog)


def test_deaths_that_are_far_apart_are_not_added_up(story, monkeypatch, caplog):
    # three of them within weeks, and nobody was told of anything until the experiment was restored
    hours = iter(range(0, 36000, 3600))
    telling = story.telling()
    with monkeypatch.context() as clock:
        clock.setattr(telling_module, "time", SimpleNamespace(monotonic=lambda: next(hours)))
        for _ in range(3):
            before = telling.pid
            os.kill(before, signal.SIGKILL)
            _until(lambda before=before: telling.pid != before)
    story.born("t0")
    story.launched("t0")
    story.reported("t0", 1, loss=1)
    story.ended("t0")
    assert telling.finish()
    (run,) = runs_below_whole(story.directory)
    assert run.column("loss") == [1]
    assert not troubles(caplog)


def test_a_driver_that_dies_leaves_nothing_open(story, tmp_path):
    # the log is what counts: what the driver has written is told, and then the process goes
    script = (
        "import os, pathlib, sys\n"
        "from tests.tune.logger.wandb_story import Story\n"
        "story = Story(pathlib.Path(sys.argv[1]))\n"
        "telling = story.telling()\n"
        "story.born('t0'); story.launched('t0'); story.reported('t0', 1, loss=1)\n"
        "print(telling.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    directory = tmp_path / "dead"
    root = Path(__file__).parents[3]
    paths = os.pathsep.join([str(root), str(root / "src")])
    done = subprocess.run(
        [sys.executable, "-c", script, str(directory)],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert gone(int(done.stdout))
    (run,) = runs_below(directory)
    assert (run.column("loss"), run.preempting) == ([1], True)


def test_an_interrupted_experiment_does_not_wait_for_a_server_that_does_not_answer(
    story, tmp_path, monkeypatch, caplog
):
    # Ray waits for half an hour there, and then kills the runs
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(telling_module, "INTERRUPTED_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        story.born("t0")
        story.launched("t0")
        story.reported("t0", 1, loss=1)
        telling = story.telling(key=KEY, init={"settings": {"init_timeout": 600.0}}, timeout_s=3.0)
        assert not telling.finish(interrupted=True)
        assert "process" in caplog.text
        assert psutil.pid_exists(telling.pid)  # it has not been killed
        patient = Story(tmp_path / "patient").telling(key=KEY, timeout_s=3.0)
        caplog.clear()
        os.kill(patient.pid, signal.SIGSTOP)  # whatever it does: it does not end
        ctrl_c = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        ctrl_c.start()
        told = patient.finish()
        os.kill(patient.pid, signal.SIGCONT)
        assert not told
        assert "Ctrl-C" in caplog.text
        assert gone(patient.pid)
        assert gone(telling.pid)  # and does not stay for ever either


def test_where_nobody_listens_runs_are_written_down(story, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    story.born("t0")
    story.launched("t0")
    story.reported("t0", 1, loss=1)
    story.ended("t0")
    assert story.telling(key=KEY).finish()
    (run,) = runs_below(story.directory)
    assert (run.column("loss"), run.exit_code) == ([1], 0)
    (told,) = troubles(caplog)
    assert "cannot be reached" in told
    assert "wandb sync" in told
    assert not list(keys_below(story.directory.parent))


def test_without_a_key_runs_are_written_down(story, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    story.born("t0")
    story.launched("t0")
    story.reported("t0", 1, loss=1)
    story.ended("t0")
    assert story.telling().finish()
    (run,) = runs_below(story.directory)
    assert run.column("loss") == [1]
    assert "No API key" in caplog.text


@pytest.mark.parametrize(
    ("given", "said"), [({"proejct": "p"}, "TypeError.*'proejct'"), ({"mode": "offlin"}, "ValidationError.*'offlin'")]
)
def test_what_the_client_does_not_take_is_said_once(story, caplog, given, said):
    story.born("t0")
    story.launched("t0")
    story.reported("t0", 1, loss=1)
    story.ended("t0")
    assert story.telling(init=given).finish()
    (told,) = troubles(caplog)
    assert re.search(f"does not take what it is given .{said}.*the experiment goes on", told)
    assert not (story.directory / "wandb-errors.txt").exists()


def test_checkpoints_become_artifacts_and_each_row_has_its_config(story):
    story.born("t0", lr=0.1, wandb={"project": "p"})
    story.launched("t0", lr=0.1, wandb={"project": "p"})
    folder = story.directory / "t0" / "checkpoint_000000"
    folder.mkdir()
    (folder / "model.txt").write_text("weights")
    story.write(ev.Reported(TrialId("t0"), 1, 0, {"loss": 1, "training_iteration": 1}, Ref("t0/checkpoint_000000")))
    story.ended("t0")
    assert story.telling(upload_checkpoints=True, log_config=True).finish()
    (run,) = runs_below(story.directory)
    assert run.artifacts == ["checkpoint_t0"]
    assert {name: value for name, value in run.rows[0].items() if name.startswith("config")} == {"config/lr": 0.1}
    assert "wandb" not in run.config


def test_a_second_driver_tells_only_what_is_new(story):
    story.born("t0", x=1)
    story.launched("t0", x=1)
    story.reported("t0", 1, loss=1)
    assert story.telling().finish()
    story.launched("t0", x=1)
    story.reported("t0", 2, loss=2)
    story.ended("t0")
    assert story.telling().finish()
    assert story.telling().finish()  # nothing is left to be told
    first, second = runs_below(story.directory)
    assert first.run_id == second.run_id
    assert (first.column("loss"), second.column("loss")) == ([1], [2])
    assert (first.column("_step"), second.column("_step")) == ([1], [2])
    assert (first.preempting, second.preempting, second.exit_code) == (True, False, 0)


def test_a_trial_that_asks_for_what_cannot_be_hinders_no_other(story, caplog):
    # one such trial ended the process, three times, and nobody was told of the others
    odd: dict[str, dict[str, object]]
    odd = {"mode": {"mode": "bogus"}, "word": {"nonsense": 1}, "project": {"project": "a/b?"}, "list": {"excludes": 5},
           "place": {"dir": "/proc/nowhere"}}  # fmt: skip
    good: dict[str, dict[str, object]] = {"a": {}, "more": {"nonsense": 2}, "z": {"excludes": "loss"}}
    for name, words in {**odd, **good}.items():
        config: dict[str, Any] = {"wandb": {"project": "p", **words}}
        story.born(name, **config)
        story.launched(name, **config)
        story.reported(name, 1, loss=1, other=2)
        story.ended(name)
    assert story.telling(by_trial=True).finish()
    found = {run.name: run for run in runs_below(story.directory)}
    assert found.keys() == {"f_a", "f_z"}
    assert (found["f_a"].column("loss"), found["f_a"].exit_code) == ([1], 0)
    assert (found["f_z"].column("loss"), found["f_z"].column("other")) == ([], [2])
    told = troubles(caplog)
    assert len(told) == len(odd)  # the same trouble is told once
    for name, word in (("mode", "'online', 'offline'"), ("word", "nonsense"), ("project", "a/b"), ("place", "nowhere")):
        assert any(f"trial f_{name} " in line and word in line for line in told), name


def test_an_api_key_that_is_none_is_not_shown_and_runs_are_written_down(story, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    story.born("t0")
    story.launched("t0")
    story.reported("t0", 1, loss=1)
    story.ended("t0")
    assert story.telling(key="too-short").finish()
    (run,) = runs_below(story.directory)
    assert run.column("loss") == [1]
    assert "40+ characters" in caplog.text and "too-short" not in caplog.text


def test_a_client_that_breaks_ends_in_a_warning(story, caplog):
    story.born("t0")
    story.launched("t0")
    story.reported("t0", 1, loss=1)
    (story.directory / "wandb-told.jsonl").mkdir()  # nothing can be noted there
    story.telling().finish()
    assert "has died 3 times" in caplog.text
    assert "IsADirectoryError" in (story.directory / "wandb-errors.txt").read_text()


def keys_below(directory: Path):
    for path in directory.glob("**/*"):
        if path.is_file() and KEY.encode() in path.read_bytes():
            yield path


def troubles(caplog) -> list[str]:
    """What was said, but for that one is asked to wait, where this machine is slow."""
    return [line for line in caplog.messages if "takes the last results" not in line]


def runs_below_exist(directory: Path) -> bool:
    return any(directory.glob("**/*.wandb"))


def runs_below_whole(directory: Path):
    """The files that were closed: a killed process leaves one behind that ends somewhere."""
    from tests.tune.logger.wandb_file import read

    for path in sorted(directory.glob("**/wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns):
        try:
            run = read(path)
        except ValueError:
            continue
        if run.exit_code is not None:
            yield run


def _until(condition, within: float = 30.0) -> None:
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.02)


def test_a_slow_server_gets_everything_and_runs_go_on_where_they_were(story, monkeypatch, caplog):
    # ray#33129: what was not uploaded within seconds was lost
    monkeypatch.setenv("WANDB_MODE", "online")
    with serving(slow=0.1) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        for trial in ("t0", "t1"):
            story.born(trial, x=trial)
            story.launched(trial, x=trial)
            for i in (1, 2, 3):
                story.reported(trial, i, loss=i)
        story.ended("t1", Status.FAILED)
        assert story.telling(key=KEY, init={"settings": {}}).finish()
        one, two = sorted(server.runs)
        assert [row["loss"] for row in server.rows(one)] == [row["loss"] for row in server.rows(two)] == [1, 2, 3]
        assert server.runs[two]["exits"] == [1]
        assert json.loads(server.runs[one]["config"])["x"] == {"value": "t0"}

        story.launched("t0", x="t0")
        story.reported("t0", 2, loss=4)  # back to an earlier step
        story.reported("t0", 3, loss=5)
        story.ended("t0")
        (story.directory / "wandb-told.jsonl").unlink()  # as after the death of the machine
        assert story.telling(key=KEY, init={"settings": {}}).finish()
        assert sorted(server.runs) == [one, two]
        assert [row["loss"] for row in server.rows(one)] == [1, 2, 3, 4, 5]
        assert [row["_step"] for row in server.rows(one)] == [1, 2, 3, 4, 5]
        assert len(server.rows(two)) == 3
        assert server.runs[one]["exits"][-1] == 0
        assert server.keys == {KEY}
    assert not troubles(caplog)
    assert not list(keys_below(story.directory.parent))
