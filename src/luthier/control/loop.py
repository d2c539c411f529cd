"""The loop: stimuli in, orders out, listeners told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

from luthier.control.patience import Patience
from luthier.core import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.callbacks.base import Listener
    from luthier.control.controller import Controller
    from luthier.control.deadlines import Deadlines
    from luthier.core.state import TrialState
    from luthier.execution.base import Executor
    from luthier.worker.assignment import Assignment

    Assign: TypeAlias = Callable[[ev.Launched, TrialState], Assignment]

TICK_S = 0.5  # seconds between two ticks while trials report from within a poll


class Loop:
    """Drives one experiment to its end.

    Args:
        controller: decides and stores.
        executor: carries out and observes.
        listeners: told of every batch, after it is safe and the trial that waits has its answer.
        assign: makes an assignment (and the trial's directory) of a launch.
        deadlines: what time brings.
        interrupted: asked once a round; a reason ends the loop early, with all that was recorded kept.
        patience: how long attempts may take; endless where None.
    """

    def __init__(
        self,
        controller: Controller,
        executor: Executor,
        listeners: Sequence[Listener],
        assign: Assign,
        deadlines: Deadlines,
        interrupted: Callable[[], str | None] = lambda: None,
        patience: Patience | None = None,
    ) -> None:
        self._controller, self._executor, self._listeners = controller, executor, tuple(listeners)
        self._assign, self._deadlines, self._interrupted = assign, deadlines, interrupted
        self._patience = Patience() if patience is None else patience
        self._ticked = 0.0

    def run(self, grace: float) -> str | None:
        """Run until the experiment is finished or interrupted; return why it was interrupted, if it was.

        Whatever happens, no trial is left running: it is asked to let go, and killed after *grace* seconds.
        """
        try:
            reason = self._drive(self._executor.join(self._deliver))
            self._executor.close(grace)
        except BaseException:
            self._executor.close(0.0)
            raise
        if reason is not None:
            self._leave()
        return reason

    def _drive(self, inbox: Sequence[ev.Observed]) -> str | None:
        while True:
            for stimulus in inbox:
                self._step(stimulus)
            self._give_up_the_overdue()
            self._tick(time.time())
            if self._controller.finished:
                return None
            if reason := self._interrupted():
                return reason
            now = time.monotonic()
            inbox = self._executor.poll(min(self._deadlines.wait(now), self._patience.wait(now)))
            if due := self._deadlines.due(time.monotonic()):
                inbox = [*inbox, *due]

    def _deliver(self, report: ev.Reported) -> None:
        """Take a report that comes from within a poll, with all that would otherwise happen between two polls."""
        self._tell(self._act(self._controller.handle(report)))
        for stimulus in self._deadlines.due(time.monotonic()):
            self._step(stimulus)
        if self._interrupted():
            self._leave()
        now = time.time()
        if now - self._ticked >= TICK_S:
            self._tick(now)
        self._answer(report)

    def _step(self, stimulus: ev.Observed) -> None:
        events = self._controller.handle(stimulus)
        if isinstance(stimulus, ev.Reported):
            self._answer(stimulus)  # first of all: a trial waits
        self._tell(self._act(events))

    def _give_up_the_overdue(self) -> None:
        """Have attempts ended whose time is up: only now that all they said was heard, however long that lay there."""
        now = time.monotonic()
        for trial, attempt, reason in self._patience.due(now):
            if not self._executor.give_up(trial, attempt, reason):
                self._patience.begin(trial, attempt, now)  # it waits for something, and has not even begun

    def _answer(self, report: ev.Reported) -> None:
        verdict = self._controller.verdict(report.trial, report.attempt)
        self._executor.answer(report.trial, report.attempt, verdict)

    def _act(self, events: Sequence[ev.Event]) -> Sequence[ev.Event]:
        if not self._patience.endless:
            self._patience.heed(events, time.monotonic())
        for event in events:
            match event:
                case ev.Launched(trial):
                    t = self._controller.experiment.trials[trial]
                    self._executor.carry_out(event, self._assign(event, t))
                case ev.Halted() | ev.Forgotten():
                    self._executor.carry_out(event)
        return events

    def _tell(self, events: Sequence[ev.Event]) -> None:
        if events:
            for listener in self._listeners:
                listener.on_events(events, self._controller.experiment)

    def _tick(self, now: float) -> None:
        self._ticked = now
        for listener in self._listeners:
            listener.on_tick(now)

    def _leave(self) -> None:
        """Take the workers away in good order: their trials wait to go on."""
        for worker in list(self._controller.experiment.workers):
            self._step(ev.WorkerLost(worker, on_purpose=True))
