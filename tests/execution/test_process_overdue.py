"""Attempts whose time is up: ended from outside, with an error that shows where they stood."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from luthier.core import events as ev
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status, Then
from luthier.execution.process import ProcessExecutor
from luthier.execution.stack import stack_in
from luthier.testing.rig import Rig
from luthier.worker.session import report


def there():
    """Say that this is the place: it is given up from now on."""
    (Path(os.environ["LUTHIER_TRIAL_DIR"]) / "there").touch()


def snooze():
    there()
    time.sleep(3600)


def spin():
    there()
    while True:
        pass


def stopped():
    there()
    os.kill(os.getpid(), signal.SIGSTOP)


def stubborn():
    there()
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(3600)


HANGS = {f.__name__: f for f in (snooze, spin, stopped, stubborn)}


def hang(config):
    report({"i": 0})
    HANGS[config["how"]]()


@pytest.fixture
def given_up(tmp_path):
    """Return a function that runs trials and gives each up once it has reported and is there."""

    def run(trainable, configs=({},), limits=None, **options):
        executor = ProcessExecutor(trainable, experiment_dir=tmp_path, resources={"cpu": 4.0}, **options)
        rig = Rig(executor, tmp_path, configs, limits=limits)
        told = set()

        def give_up():
            for event in list(rig.log):
                if isinstance(event, ev.Reported) and event.metrics["i"] == 0:
                    key = (event.trial, event.attempt)
                    if key not in told and (tmp_path / event.trial / "there").exists():
                        told.add(key)
                        assert executor.give_up(*key, "no report for 7 s")
                        assert executor.give_up(*key, "told twice")

        return rig.run(each_round=give_up)

    return run


@pytest.mark.parametrize("start", ["fork", "spawn", "direct"])
def test_the_error_says_why_and_where(given_up, start):
    rig = given_up(hang, [{"how": "snooze"}], start=start)
    exited = rig.exited()
    assert exited.outcome is Outcome.ERROR
    why, *stack = exited.error.splitlines()
    assert why == "no report for 7 s"
    assert [line.rpartition(" in ")[2] for line in stack if line.startswith("  File ")][-2:] == ["snooze", "hang"]
    assert "luthier" + os.sep + "worker" not in exited.error
    assert rig.trial(0).status is Status.FAILED


def test_however_it_hangs_it_is_ended(given_up):
    rig = given_up(hang, [{"how": how} for how in HANGS])
    for number, how in enumerate(HANGS):
        error = rig.exited(number).error
        assert rig.exited(number).outcome is Outcome.ERROR, how
        assert error.startswith("no report for 7 s"), how
        assert (f" in {how}" in error) == (how != "stopped"), how  # who is stopped cannot say where


def test_it_counts_as_a_failure_and_is_tried_again(given_up):
    def trainable(config):
        marker = os.path.join(os.environ["LUTHIER_TRIAL_DIR"], "marker")
        if os.path.exists(marker):
            return {"i": 1}
        with open(marker, "x"):
            pass
        report({"i": 0})
        snooze()
        return {}

    rig = given_up(trainable, limits=Limits(max_failures=1, max_losses=0))
    assert [e.outcome for e in rig.of(0, ev.Exited)] == [Outcome.ERROR, Outcome.FINISHED]
    assert (rig.trial(0).status, rig.trial(0).failures) == (Status.DONE, 1)


def test_its_blocks_are_unwound(given_up, tmp_path):
    def trainable(config):
        try:
            report({"i": 0})
            snooze()
        finally:
            (tmp_path / "unwound").touch()

    assert given_up(trainable).exited().outcome is Outcome.ERROR
    assert (tmp_path / "unwound").exists()


@pytest.mark.parametrize("reuse", [False, True])
def test_who_is_quicker_after_all_has_finished(given_up, reuse):
    def trainable(config):
        report({"i": 0})
        there()
        return {"i": 1}

    rig = given_up(trainable, [{}, {}], limits=Limits(max_concurrent=1, max_losses=0), reuse=reuse)
    # It may have been asked in time or not; whatever it was, all has come to its end, and what has finished counts.
    for number in range(2):
        finished = rig.exited(number).outcome is Outcome.FINISHED
        assert finished == (len(rig.reports(number)) == 2)


def test_what_has_not_begun_cannot_be_given_up(tmp_path):
    executor = ProcessExecutor(hang, experiment_dir=tmp_path, resources={"cpu": 1.0, "gpu": 1.0})
    rig = Rig(executor, tmp_path, [{"how": "snooze"}] * 2, request={"cpu": 0.1, "gpu": 0.4})
    executor._devices.take("somebody else", 1.0)
    try:
        for stimulus in executor.join(rig.take):
            rig.take(stimulus)
        assert not executor.give_up(rig.trial(0).id, 1, "no room for it")  # it waits for a device
        executor._devices.give_back("somebody else")
        executor._place_waiting()
        assert not executor.give_up(rig.trial(0).id, 1, "the template is still loading")
        assert executor.give_up(rig.trial(0).id, 9, "long gone")
    finally:
        executor.close(0.0)


def test_a_trial_that_is_to_go_on_has_more_time_than_one_that_is_stopped(tmp_path):
    executor = ProcessExecutor(hang, experiment_dir=tmp_path, resources={"cpu": 1.0}, grace=1.0, patience=2.0)
    assert sorted(executor._grace.values()) == [1.0, 2.0, 2.0]
    assert executor._grace[Then.STOP] == 1.0
    executor.close(0.0)


def test_no_stack_where_there_is_none(tmp_path):
    assert stack_in(tmp_path / "stderr", 0) == ""
    (tmp_path / "stderr").write_text('Thread 0x1 (most recent call first):\nhello\n  File "a.py", line 1 in f\n')
    assert stack_in(tmp_path / "stderr", 0) == ""
