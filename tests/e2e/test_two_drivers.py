"""One driver at a time, and none where nothing may be written; reading is always possible."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from luthier import tune
from luthier.cli.commands import luthier
from luthier.core.errors import Conflict, ExperimentExists, StoreFailed
from luthier.store.card import ExperimentCard
from tests.tune.restoring import inline

DRIVER = """
import os, sys, time
from pathlib import Path
from luthier import tune

def slow(config):
    for step in range(1, 4):
        while step == 2 and not Path(os.environ["GO_ON"]).exists():
            time.sleep(0.02)
        tune.report({"step": step})

if __name__ == "__main__":
    tune.Tuner(slow, run_config=tune.RunConfig(storage_path=sys.argv[1], name="e", verbose=0)).fit()
"""


def slow(config):
    for step in range(1, 4):
        tune.report({"step": step})


@pytest.fixture
def driver(tmp_path):
    """A driver in another process, whose trial has reported once and waits."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    env = {**os.environ, "GO_ON": str(tmp_path / "go on")}
    env.pop("LUTHIER_EXECUTOR", None)
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=env, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any((tmp_path / "e").glob("slow_*/result.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_a_second_driver_is_refused_with_who_holds_it(driver, tmp_path):
    path = tmp_path / "e"
    for _ in range(2):
        with pytest.raises(Conflict, match=rf"being written by process {driver.pid} on {socket.gethostname()}, since"):
            tune.Tuner.restore(path, slow).fit()
    refused = subprocess.run(
        [sys.executable, "-m", "luthier.cli.main", "resume", str(path)], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert f"process {driver.pid} on" in refused.stderr
    # Meanwhile anybody may read, and the first one goes on undisturbed.
    (trial,) = tune.ExperimentAnalysis(path).trials
    assert (trial.status, trial.last_result["step"]) == ("RUNNING", 1)
    (result,) = tune.Tuner.restore(path, slow).get_results()
    assert result.metrics["step"] == 1
    (tmp_path / "go on").touch()
    assert driver.wait(60) == 0
    grid = tune.Tuner.restore(path, slow).fit()
    assert [list(r.metrics_dataframe["step"]) for r in grid] == [[1, 2, 3]]


def test_the_lock_of_a_dead_driver_is_taken_over(driver, tmp_path):
    driver.send_signal(signal.SIGKILL)
    driver.wait(60)
    assert (tmp_path / "e" / ".lock").exists()
    grid = tune.Tuner.restore(tmp_path / "e", slow).fit()
    assert [list(r.metrics_dataframe["step"]) for r in grid] == [[1, 1, 2, 3]]
    assert grid.num_terminated == 1


def test_two_that_begin_at_once_under_one_name(tmp_path, monkeypatch):
    from luthier.tune import place

    checked = place.new_directory

    def slowly(run, name):
        """Look whether the name is free; somebody else takes it before anything is written."""
        found = checked(run, name)
        monkeypatch.undo()
        tune.Tuner(slow, tune_config=tune.TuneConfig(seed=1), run_config=inline(tmp_path)).fit()
        return found

    monkeypatch.setattr(place, "new_directory", slowly)
    with pytest.raises(ExperimentExists, match="holds an experiment already"):
        tune.Tuner(slow, tune_config=tune.TuneConfig(seed=2), run_config=inline(tmp_path)).fit()
    assert ExperimentCard.read(tmp_path / "e").seed == 1
    assert tune.ExperimentAnalysis(tmp_path / "e").trials[0].status == "TERMINATED"


def test_a_driver_that_stands_still_still_holds_it(driver, tmp_path):
    driver.send_signal(signal.SIGSTOP)
    with pytest.raises(Conflict, match=f"process {driver.pid} on"):
        tune.Tuner.restore(tmp_path / "e", slow).fit()
    driver.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def nobody():
    """The superuser may write anywhere: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_what_is_read_only_is_read_and_not_gone_on_with(tmp_path):
    made = tune.Tuner(slow, run_config=inline(tmp_path)).fit().experiment_path

    def look(path):
        steps = [t.last_result["step"] for t in tune.ExperimentAnalysis(path).trials]
        tuner = tune.Tuner.restore(path, slow, tune_config=tune.TuneConfig(num_samples=3))
        results = [r.metrics["step"] for r in tuner.get_results()]
        shown = CliRunner().invoke(luthier, ["show", str(path)])
        assert shown.exit_code == 0 and "slow" in shown.output, shown.output
        return steps, results, tuner

    look(made)  # what is imported late is imported now
    folder = Path(tempfile.mkdtemp(prefix="luthier-read-only-"))
    try:
        path = shutil.copytree(made, folder / "e")
        before = sorted(p.name for p in path.rglob("*"))
        for each in [*path.rglob("*"), path, folder]:
            each.chmod(0o555 if each.is_dir() else 0o444)
        with nobody():
            steps, results, tuner = look(path)
            with pytest.raises(StoreFailed, match=f"{path} is read-only: its results can be read"):
                tuner.fit()
        assert (steps, results) == ([3], [3])
        assert sorted(p.name for p in path.rglob("*")) == before
    finally:
        for each in [folder, *folder.rglob("*")]:
            each.chmod(0o755)
        shutil.rmtree(folder)
