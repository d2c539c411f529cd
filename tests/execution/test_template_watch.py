"""Templates that do not answer, and imports that never end: noticed, said, and got over."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from luthier.core import events as ev
from luthier.core.errors import LuthierError
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status
from luthier.execution import nursery, process
from luthier.execution.process import ProcessExecutor
from luthier.testing.rig import Rig
from luthier.worker.session import report

PATIENT = 1.2


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(nursery, "ANSWER_S", PATIENT)
    monkeypatch.setattr(nursery, "LOADING_S", PATIENT)


@pytest.fixture
def running(tmp_path):
    """Return ``running(trainable, configs, each_round=, **options)``; each_round gets the executor and the log."""

    def running(trainable, configs=({},), each_round=lambda executor, log: None, limits=None, **options):
        executor = ProcessExecutor(trainable, experiment_dir=tmp_path, resources={"cpu": 1.0}, **options)
        rig = Rig(executor, tmp_path, configs, limits=limits)
        return rig.run(each_round=lambda: each_round(executor, rig.log))

    return running


def templates(executor):
    return [template._process for template in executor._crew._nursery._templates.values()]


def stop_once(when):
    """Return what stops the template as soon as ``when(log)``, and the ids of those that were stopped."""
    stopped: list[int] = []

    def each_round(executor, log):
        if not stopped and when(log):
            (template,) = templates(executor)
            os.kill(template.pid, signal.SIGSTOP)
            stopped.append(template.pid)

    return each_round, stopped


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def train(config):
    report({"i": 0})
    return {"i": 1}


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_one_that_was_stopped_is_replaced_and_the_trial_that_it_was_to_start_is_started(short, running, start, caplog):
    each_round, stopped = stop_once(lambda log: any(isinstance(event, ev.Exited) for event in log))
    rig = running(train, [{}] * 3, each_round, limits=Limits(max_concurrent=1), start=start)
    assert stopped and gone(stopped[0])
    assert [rig.trial(n).status for n in range(3)] == [Status.DONE] * 3
    outcomes = [event.outcome for event in rig.log if isinstance(event, ev.Exited)]
    assert outcomes.count(Outcome.FINISHED) == 3
    assert set(outcomes) <= {Outcome.FINISHED, Outcome.LOST}  # nobody has failed
    (told,) = [record.message for record in caplog.records]
    assert re.search(r"was killed, as it did not answer for \d s \(somebody has stopped it", told)
    assert "another one is started" in told


def test_who_is_to_be_killed_by_one_that_was_stopped_dies_too(short, running):
    """It is the template that ends trials: one that cannot would leave a hung trial running for ever."""
    each_round, stopped = stop_once(lambda log: any(isinstance(event, ev.Reported) for event in log))

    def give_up(executor, log):
        each_round(executor, log)
        if stopped:
            executor.give_up(log[-1].trial, 1, "no report for 7 s") if isinstance(log[-1], ev.Reported) else None

    def hang(config):
        report({"i": 0})
        time.sleep(3600)

    rig = running(hang, each_round=give_up)
    assert rig.exited().outcome is Outcome.ERROR
    assert rig.exited().error.startswith("no report for 7 s")
    assert rig.trial(0).status is Status.FAILED


def test_time_counts_only_while_the_driver_itself_runs(running, monkeypatch, caplog):
    """A driver that was stopped for an hour finds the answer where it lies, or waits for it as if nothing had been."""
    monkeypatch.setattr(nursery, "ANSWER_S", 30.0)
    hour = [0.0]
    monkeypatch.setattr(process, "monotonic", lambda: time.monotonic() + hour[0])
    from luthier.execution import crew

    monkeypatch.setattr(crew, "monotonic", lambda: time.monotonic() + hour[0])
    each_round, stopped = stop_once(lambda log: any(isinstance(event, ev.Exited) for event in log))

    def an_hour_later(executor, log):
        each_round(executor, log)
        if stopped and not hour[0]:
            hour[0] = 3600.0
        elif hour[0] and not gone(stopped[0]):
            os.kill(stopped[0], signal.SIGCONT)

    rig = running(train, [{}] * 2, an_hour_later, limits=Limits(max_concurrent=1))
    assert [rig.trial(n).status for n in range(2)] == [Status.DONE] * 2
    assert not caplog.records


SLOW = """
    import os, time

    def waits_for_ever():
        while not os.path.exists({go!r}):
            time.sleep(0.02)

    if {driver} != os.getpid():
        waits_for_ever()

    def train(config):
        return {{"i": 1}}
"""


def test_an_import_that_takes_long_is_told_with_the_place_and_waited_for(short, running, module, tmp_path, caplog):
    go = tmp_path / "go"
    users = module(SLOW.format(go=str(go), driver=os.getpid()))

    def each_round(executor, log):
        if caplog.records:
            go.touch()

    rig = running(users.train, each_round=each_round)
    assert rig.trial(0).status is Status.DONE
    (told,) = [record.message for record in caplog.records]
    assert re.search(r"not over after \d s, and no trial can start before", told)
    assert "for up to 600 s (FailureConfig(start_timeout_s=...))" in told
    frames = [line.rpartition(" in ")[2] for line in told.splitlines() if line.startswith("  File ")]
    assert frames == ["waits_for_ever", "<module>"]


def test_an_import_that_never_ends_ends_the_experiment_with_the_place(running, module, tmp_path):
    users = module(SLOW.format(go=str(tmp_path / "never"), driver=os.getpid()))
    with pytest.raises(LuthierError, match=r"was not over after 1 s \(FailureConfig\(start_timeout_s") as raised:
        running(users.train, start_timeout=1.0)
    assert " in waits_for_ever\n" in str(raised.value)
    assert Path(users.__file__).name in str(raised.value)


def test_one_that_is_stopped_while_it_loads_is_replaced(short, running, module, tmp_path, caplog):
    go = tmp_path / "go"
    users = module(SLOW.format(go=str(go), driver=os.getpid()))
    stopped: list[int] = []

    def each_round(executor, log):
        (template,) = templates(executor)
        if not stopped:
            os.kill(template.pid, signal.SIGSTOP)
            stopped.append(template.pid)
        go.touch()

    rig = running(users.train, each_round=each_round)
    assert rig.trial(0).status is Status.DONE and gone(stopped[0])
    assert "somebody has stopped it" in caplog.text


def test_one_that_is_always_stopped_ends_the_experiment(short, running, module, tmp_path):
    users = module(SLOW.format(go=str(tmp_path / "never"), driver=os.getpid()))

    def each_round(executor, log):
        for template in templates(executor):
            os.kill(template.pid, signal.SIGSTOP)

    with pytest.raises(LuthierError, match=r"no trial can be started: .* did not answer for .* 3 times in a row"):
        running(users.train, each_round=each_round)
