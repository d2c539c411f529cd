"""The loop, with an executor that does nothing but what the test says."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import pytest

from luthier.control.controller import Controller
from luthier.control.deadlines import Deadlines
from luthier.control.loop import Loop
from luthier.control.patience import Patience
from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status, TrialId, Verdict, WorkerId
from luthier.schedulers.fifo import Fifo
from luthier.search.fixed import Fixed
from luthier.store.memory import MemoryStore


class Scripted:
    """Launches nothing; returns what the script says, and keeps a diary."""

    def __init__(self, script=()):
        self.script = deque(script)
        self.diary = []
        self.can_give_up = True

    def join(self, handler):
        self.handler = handler
        return [ev.WorkerJoined(WorkerId("w"), {"cpu": 1.0})]

    def carry_out(self, order, assignment=None):
        self.diary.append((type(order).__name__, assignment))

    def poll(self, timeout):
        if not self.script:
            raise AssertionError("the loop goes on for ever")
        step = self.script.popleft()
        return step() if callable(step) else step

    def answer(self, trial, attempt, verdict):
        self.diary.append(("answer", verdict))

    def give_up(self, trial, attempt, reason):
        self.diary.append(("give up", trial, attempt, reason))
        return self.can_give_up

    def wake(self):
        pass

    def close(self, grace):
        self.diary.append(("close", grace))


class Ears:
    def __init__(self):
        self.heard = []

    def on_events(self, events, experiment):
        self.heard.append([type(event).__name__ for event in events])

    def on_tick(self, now):
        pass

    def close(self):
        pass


T = TrialId("t_00000")
REPORT = ev.Reported(T, 1, 0, {"loss": 1.0})
FINISHED = ev.Exited(T, 1, Outcome.FINISHED)


def build(script, *, budget=None, interrupted=lambda: None, store=None, patience=None):
    controller = Controller(store or MemoryStore(), lambda: Engine(Limits(), Fixed([{"x": 1}]), Fifo()))
    executor, ears = Scripted(script), Ears()
    assign: Any = lambda order, trial: trial.config
    loop = Loop(controller, executor, [ears], assign, Deadlines(budget, 0.0, 0.1), interrupted, patience)
    return loop, controller, executor, ears


def test_a_trial_from_beginning_to_end():
    loop, controller, executor, ears = build([[REPORT], [FINISHED]])
    assert loop.run(grace=5.0) is None
    assert controller.finished
    assert executor.diary == [("Launched", {"x": 1}), ("answer", Verdict.CONTINUE), ("close", 5.0)]
    assert ears.heard == [["WorkerJoined", "Proposed", "Launched"], ["Reported"], ["Exited", "Ended", "SpaceExhausted"]]


def test_a_stale_report_is_told_to_halt_and_nobody_hears_of_it():
    zombie = ev.Reported(T, 7, 0, {"loss": 1.0})
    loop, _, executor, ears = build([[zombie], [FINISHED]])
    loop.run(grace=0.0)
    assert ("answer", Verdict.HALT) in executor.diary
    assert ["Reported"] not in ears.heard


def test_a_budget_that_is_used_up_stops_the_trials():
    loop, controller, executor, _ = build([[REPORT], [ev.Exited(T, 1, Outcome.HALTED)]], budget=1e-9)
    loop.run(grace=1.0)
    assert controller.experiment.trials[T].status is Status.STOPPED
    assert "time budget" in controller.experiment.trials[T].reason
    assert ("Halted", None) in executor.diary


def test_an_interrupt_takes_all_workers_away_those_that_came_later_too():
    told = iter([None, None, "interrupted"])
    joined = ev.WorkerJoined(WorkerId("later"), {"cpu": 1.0})
    loop, controller, _, _ = build([[joined], []], interrupted=lambda: next(told))
    assert loop.run(grace=3.0) == "interrupted"
    assert not controller.experiment.workers


def test_an_interrupt_leaves_trials_waiting():
    told = iter([None, None, "interrupted", "interrupted"])
    loop, controller, executor, _ = build([[REPORT], []], interrupted=lambda: next(told))
    assert loop.run(grace=3.0) == "interrupted"
    assert executor.diary[-1] == ("close", 3.0)
    trial = controller.experiment.trials[T]
    assert (trial.status, trial.metrics, trial.losses) == (Status.PENDING, {"loss": 1.0}, 0)
    assert not controller.finished


def test_whatever_is_raised_the_executor_is_closed_at_once():
    def fail():
        raise RuntimeError("the machine burns")

    loop, _, executor, _ = build([fail])
    with pytest.raises(RuntimeError, match="burns"):
        loop.run(grace=60.0)
    assert executor.diary[-1] == ("close", 0.0)


def test_a_report_from_within_a_poll_is_answered_before_poll_returns():
    loop, _, executor, _ = build([])

    def inline():
        executor.handler(REPORT)
        assert executor.diary[-1] == ("answer", Verdict.CONTINUE)
        return [FINISHED]

    executor.script.append(inline)
    assert loop.run(grace=0.0) is None


def test_an_interrupt_reaches_a_trial_that_reports_from_within_a_poll():
    reasons = iter([None, "interrupted", "interrupted", "interrupted"])
    loop, controller, executor, _ = build([], interrupted=lambda: next(reasons))

    def inline():
        executor.handler(REPORT)
        assert executor.diary[-1] == ("answer", Verdict.HALT)
        return [ev.Exited(T, 1, Outcome.HALTED)]

    executor.script.append(inline)
    assert loop.run(grace=0.0) == "interrupted"
    trial = controller.experiment.trials[T]
    assert (trial.status, trial.metrics, trial.losses) == (Status.PENDING, {"loss": 1.0}, 0)


@pytest.mark.parametrize("broken_at", [0, 1])
def test_what_cannot_be_stored_is_neither_carried_out_nor_told(broken_at):
    class Full(MemoryStore):
        count = 0

        def append(self, events, after):
            if self.count == broken_at:
                raise OSError(28, "No space left on device")
            self.count += 1
            return super().append(events, after)

    loop, controller, executor, ears = build([[REPORT], [FINISHED]], store=Full())
    with pytest.raises(OSError, match="No space"):
        loop.run(grace=0.0)
    assert len(ears.heard) == broken_at
    assert ("answer", Verdict.CONTINUE) not in executor.diary
    assert ("Launched", {"x": 1}) in executor.diary or broken_at == 0
    assert all(t.metrics == {} for t in controller.experiment.trials.values())


def idle(*observed):
    time.sleep(0.06)
    return observed


def test_who_is_overdue_is_given_up_once_all_it_said_was_heard():
    # The report lay there meanwhile: that the driver was slow is not the trial's fault.
    script = [lambda: idle(REPORT), idle, [FINISHED]]
    loop, controller, executor, _ = build(script, patience=Patience(None, 0.05))
    loop.run(grace=0.0)
    assert [entry for entry in executor.diary if entry[0] in ("answer", "give up")] == [
        ("answer", Verdict.CONTINUE),
        ("give up", T, 1, "no report for 0.05 s (report_timeout_s)"),
    ]
    assert controller.experiment.trials[T].status is Status.DONE  # it was quicker after all


def test_what_has_not_begun_gets_its_time_anew():
    loop, _, executor, _ = build([idle, idle, [FINISHED]], patience=Patience(0.05))
    executor.can_give_up = False
    loop.run(grace=0.0)
    assert [entry[0] for entry in executor.diary].count("give up") == 2


def test_a_witness_sees_what_is_in_the_log_once_and_nothing_that_comes():
    store = MemoryStore()
    make = lambda: Engine(Limits(), Fixed([{"x": 1}]), Fifo())
    Controller(store, make).handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 1.0}))
    seen: list[object] = []
    controller = Controller(store, make, seen.append)
    assert seen == list(store.read())
    controller.handle(ev.StopRequested("enough"))
    assert len(seen) == 1
