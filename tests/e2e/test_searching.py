"""Every search algorithm over local processes, killed in the middle and restored: each trial is told once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.engine import NEWS
from luthier.tune import blueprint
from luthier.tune.past import events_of
from tests.e2e.searching import ENOUGH, NAMES, TRIALS, Spy, spelled, spied, train
from tests.tune.search.algorithms import ALGORITHMS, PATHS

ROOT = Path(__file__).parents[2]


def killed_in_the_middle(name: str, here: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-m", "tests.e2e.searching", name, str(here)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while len(list(here.glob("*.ended"))) < ENOUGH:
            assert driver.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()


def test_none_of_the_registry_is_left_out():
    assert set(ALGORITHMS) == set(PATHS)


@pytest.mark.parametrize("name", NAMES)
def test_killed_and_restored_it_is_told_each_trial_once(name, tmp_path, monkeypatch):
    killed_in_the_middle(name, tmp_path)
    log = [spelled(event) for event in events_of(str(tmp_path / "e")) if isinstance(event, NEWS)]
    told = (tmp_path / "told").read_text("utf-8").splitlines()
    assert told[: len(log)] == log  # what it was told last may not have been safe yet
    assert ENOUGH - 2 <= sum(line.startswith("Ended") for line in log) < TRIALS

    heard: dict[int, Spy] = {}
    monkeypatch.setattr(blueprint, "searcher_of", spied(lambda spy, _: heard.setdefault(id(spy), spy)))
    (tmp_path / "restored").touch()
    grid = tune.Tuner.restore(str(tmp_path / "e"), train, run_config=tune.RunConfig(verbose=0)).fit()
    assert len(grid) == TRIALS and not grid.errors

    (spy,) = heard.values()
    events = [event for event in events_of(str(tmp_path / "e")) if isinstance(event, NEWS)]
    assert spy.told == [spelled(event) for event in events]  # all that was known before, and each thing once
    assert spy.told[: len(log)] == log
    for kind in (ev.Proposed, ev.Ended):
        each = Counter(event.trial for event in events if isinstance(event, kind))
        assert len(each) == TRIALS and set(each.values()) == {1}
    assert [e.number for e in events if isinstance(e, ev.Proposed)] == list(range(TRIALS))
    if spy.settled is not None and name not in ("optuna, stored", "optuna, several goals"):  # and so with the library
        assert sorted(scores[0] for scores in spy.settled) == sorted(result.metrics["loss"] for result in grid)
    points = [repr(sorted((k, v) for k, v in result.config.items() if k != "here")) for result in grid]
    assert len(set(points)) == TRIALS
    if name == "optuna, stored":
        import optuna

        trials = optuna.load_study(study_name="optuna", storage=f"sqlite:///{tmp_path}/study.db").trials
        states = Counter(trial.state.name for trial in trials)
        assert states.pop("COMPLETE") == TRIALS
        assert states in ({}, {"FAIL": 1})  # a proposal that never became a trial
    if name == "a user's own":
        assert spy.searcher._user.ended == [event.trial for event in events if isinstance(event, ev.Ended)]
        assert not spy.searcher._user.live
