"""What a log says, for those who read it: one row per trial, one for the experiment.

A fold of the records, done once in the order of the log; a trial's row keeps its last metrics only, so that memory
grows with the trials and not with their reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from luthier.core import events as ev
from luthier.core.terms import SPOKEN, Config, Label, Metrics, Outcome, Ref, Status, TrialId, in_full

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from luthier.core.goal import Goal
    from luthier.store.base import Record


class TrialRow(msgspec.Struct):
    """One trial as the log left it.  Times are unix seconds by the clock of whoever wrote the log.

    Attributes:
        id: its id.
        number: the how-manieth it is, from 0.
        config: its config; of the last attempt where that was another one.
        resources: what its attempts hold.
        label: its name for people, its folder below the experiment's directory, its tag.
        created: when it was proposed.
        status: where it stands.
        attempts: how many were launched.
        failures: how many attempts raised or died.
        started: when its first attempt was launched; None before.
        updated: when anything last happened to it.
        ended: when it came to its end; None while it has not.
        reports: how many results it reported, in all attempts.
        metrics: what it reported last.
        checkpoint: its last checkpoint, or the one that it goes on from.
        error: what the last attempt that failed had to say.
        reason: why it ended, was halted or waits.
        path: its directory, where known.
        in_full: whether it was ended, but had all the time that its scheduler gives: it was not cut short.
    """

    id: TrialId
    number: int
    config: Config
    resources: dict[str, float]
    label: Label
    created: float
    status: Status = Status.PENDING
    attempts: int = 0
    failures: int = 0
    started: float | None = None
    updated: float = 0.0
    ended: float | None = None
    reports: int = 0
    metrics: Metrics = {}
    checkpoint: Ref | None = None
    error: str = ""
    reason: str = ""
    path: str = ""
    in_full: bool = False

    @property
    def status_word(self) -> str:
        """The status in public words: PENDING, RUNNING, PAUSED, TERMINATED or ERROR."""
        return SPOKEN[self.status]


class ExperimentRow(msgspec.Struct):
    """An experiment as the log left it.

    Attributes:
        trials: its trials by id, in the order in which they were proposed.
        events: how many events the log holds.
        started: when the first batch was stored; None for an empty log.
        updated: when the last one was.
        exhausted: whether the searcher has nothing more to propose.
        stopped: why somebody or something asked the experiment to end; empty where nobody did.
    """

    trials: dict[TrialId, TrialRow] = {}
    events: int = 0
    started: float | None = None
    updated: float | None = None
    exhausted: bool = False
    stopped: str = ""

    def counts(self) -> dict[str, int]:
        """Return how many trials there are by status word, as far as there are any.

        >>> ExperimentRow().counts()
        {}
        """
        counts: dict[str, int] = {}
        for row in self.trials.values():
            counts[row.status_word] = counts.get(row.status_word, 0) + 1
        return counts

    @property
    def finished(self) -> bool:
        """Whether every trial has come to its end; False before the first one."""
        return bool(self.trials) and all(row.status.final for row in self.trials.values())

    def best(self, goal: Goal) -> TrialRow | None:
        """Return the trial whose last metrics are best by *goal*, the earlier of equals; None if none has it."""
        scored = [(score, row) for row in self.trials.values() if (score := goal.score(row.metrics)) is not None]
        return min(scored, key=lambda pair: (pair[0], pair[1].number))[1] if scored else None

    def add(self, record: Record) -> None:
        """Fold one more batch in."""
        self.events = record.end
        self.started = record.at if self.started is None else self.started
        self.updated = record.at
        for event in record.events:
            self._fold(event, record.at)

    def _fold(self, event: ev.Event, at: float) -> None:
        match event:
            case ev.Proposed(trial, number, config, resources, label):
                self.trials[trial] = TrialRow(trial, number, config, resources, label, created=at, updated=at)
            case ev.SpaceExhausted():
                self.exhausted = True
            case ev.StopRequested(reason):
                self.stopped = reason or "asked to stop"
            case ev.Reopened(stopping=stopping):
                self.exhausted, self.stopped = False, self.stopped if stopping else ""
            case ev.Reported() | ev.Exited() | ev.Launched() | ev.Halted() | ev.Requeued() | ev.Paused() | ev.Ended():
                row = self.trials[event.trial]
                row.updated = at
                _fold(row, event, at)
            case _:  # workers, stalls, checkpoints that go: nothing that a row shows
                pass


def _fold(
    row: TrialRow,
    event: ev.Reported | ev.Exited | ev.Launched | ev.Halted | ev.Requeued | ev.Paused | ev.Ended,
    at: float,
) -> None:
    match event:
        case ev.Reported(_, _, _, metrics, checkpoint):
            row.reports += 1
            row.metrics = metrics
            row.checkpoint = checkpoint or row.checkpoint
        case ev.Launched(_, attempt, _, config, resources):
            row.status, row.attempts, row.config, row.resources = Status.RUNNING, attempt, config, resources
            row.started = at if row.started is None else row.started
            row.reason, row.in_full = "", False
        case ev.Halted(_, _, _, reason):
            row.status, row.reason, row.in_full = Status.HALTING, reason, in_full(event.why)
        case ev.Exited(_, _, outcome, error, checkpoint):
            row.status = Status.EXITED
            row.failures += outcome is Outcome.ERROR
            row.error = error or row.error
            row.checkpoint = checkpoint or row.checkpoint
        case ev.Requeued(_, config, restore, resources):
            row.status, row.ended, row.in_full = Status.PENDING, None, False
            row.config, row.checkpoint, row.resources = config, restore, resources
        case ev.Paused():
            row.status = Status.PAUSED
        case ev.Ended(_, status, reason, why):
            row.status, row.ended = status, at
            row.in_full = status is Status.STOPPED and (row.in_full or in_full(why))
            row.reason = reason or row.reason


def fold(records: Iterable[Record]) -> ExperimentRow:
    """Return what *records*, from the log's beginning, come to.

    >>> from luthier.store.base import Record
    >>> row = fold([Record(0, 5.0, (ev.Proposed("t0", 0, {"lr": 0.1}, {"cpu": 1}),))])
    >>> row.trials["t0"].status_word, row.counts()
    ('PENDING', {'PENDING': 1})
    """
    row = ExperimentRow()
    for record in records:
        row.add(record)
    return row


def reports(records: Iterable[Record], trial: TrialId | None = None) -> Iterator[tuple[float, ev.Reported]]:
    """Yield what *trial* (or every trial, where None) reported, each with when it was stored, in the log's order."""
    for record in records:
        for event in record.events:
            if isinstance(event, ev.Reported) and (trial is None or event.trial == trial):
                yield record.at, event
