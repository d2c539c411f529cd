"""What a log tells, as columns: all that figures are made from."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.callbacks.spelling import STATUS_WORDS, flat
from luthier.core import events as ev
from luthier.core.goal import Goal, lookup, number
from luthier.core.lineage import ITERATION, Lineage
from luthier.core.terms import AUTOMATIC, Outcome, Status, Then, TrialId
from luthier.store.views import ExperimentRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from luthier.core.terms import Why
    from luthier.store.base import Record
    from luthier.store.views import TrialRow

MOST = 1e150  # numbers beyond it count as endless: their squares have no place
_ENDS = {Outcome.FINISHED: "done", Outcome.ERROR: "failed", Outcome.LOST: "lost", Outcome.LEFT: "left"}
_ORDERED = {Then.STOP: "stopped", Then.PAUSE: "paused", Then.REQUEUE: "restarted"}


class Curve(msgspec.Struct):
    """What one trial reported of one metric, oldest first.

    Attributes:
        steps: ``training_iteration`` of each value, or the how-manieth it is where that was not reported.
        values: the values, NaN and infinities among them.
    """

    steps: array[float] = msgspec.field(default_factory=lambda: array("d"))
    values: array[float] = msgspec.field(default_factory=lambda: array("d"))


class Span(msgspec.Struct):
    """One attempt of a trial on a worker.

    Attributes:
        trial: number of the trial, from 0.
        attempt: which of its attempts, from 1.
        worker: the worker's id.
        start: when it was launched, in unix seconds.
        end: when it came to its end; None where it has not.
        outcome: ``done``, ``stopped``, ``paused``, ``restarted``, ``failed``, ``lost``, ``left`` or ``running``.
    """

    trial: int
    attempt: int
    worker: str
    start: float
    end: float | None = None
    outcome: str = "running"


class Judgement(msgspec.Struct, frozen=True):
    """What a scheduler decided about a trial at a rung.

    Attributes:
        trial: number of the trial, from 0.
        what: ``stopped``, ``waits`` or ``went on``.
        step: how far the trial was, by ``training_iteration``.
        why: the reasons as names and values, as in :data:`luthier.core.terms.Why`.
    """

    trial: int
    what: str
    step: float
    why: dict[str, Any]


class Trial(msgspec.Struct):
    """One trial: what it is called, where it stands, what it tried and what it reported last.

    Attributes:
        number: the how-manieth it is, from 0.
        id: its id.
        name: what it is called.
        status: ``waiting``, ``running``, ``paused``, ``done``, ``stopped`` or ``failed``.
        config: its config, nested names joined by ``/``.
        metrics: its last result, nested names joined by ``/``.
        reports: how many results it reported.
        started: when it was launched first, in unix seconds; None before.
        ended: when it came to its end; None while it has not.
    """

    number: int
    id: str
    name: str
    status: str
    config: dict[str, Any]
    metrics: dict[str, Any]
    reports: int = 0
    started: float | None = None
    ended: float | None = None


class Chronicle(msgspec.Struct):
    """An experiment as columns.  Nothing in it refers to a file: it may come from a log, a database or a test.

    Attributes:
        trials: its trials, in the order in which they were proposed.
        goals: what is optimised.
        curves: of each metric that was asked for, a curve for each trial that reported it, by the trial's number.
        spans: all attempts, in the order in which they were launched.
        judgements: what was decided at rungs, in the order of the log.
        lineage: who went on from whom; None where nobody did.
        name: what the experiment is called.
        started: when the first event was stored, in unix seconds; None for an empty log.
        updated: when the last one was.
        reports: how many results there are.
        logarithmic: names of the parameters that are searched on a logarithmic scale, as far as that is known.

    >>> from luthier.store.base import Record
    >>> log = [ev.Proposed("t0", 0, {"lr": 0.1}, {}), ev.Launched("t0", 1, "w", {"lr": 0.1}, {}),
    ...        ev.Reported("t0", 1, 0, {"loss": 0.5, "training_iteration": 1})]
    >>> found = chronicle([Record(0, 7.0, tuple(log))], [Goal("loss", "min")])
    >>> found.trials[0].config, list(found.curves["loss"][0].values), found.spans[0].start
    ({'lr': 0.1}, [0.5], 7.0)
    """

    trials: list[Trial] = []
    goals: tuple[Goal, ...] = ()
    curves: dict[str, dict[int, Curve]] = {}
    spans: list[Span] = []
    judgements: list[Judgement] = []
    lineage: Lineage | None = None
    name: str = ""
    started: float | None = None
    updated: float | None = None
    reports: int = 0
    logarithmic: frozenset[str] = frozenset()

    def values(self, metric: str) -> list[float]:
        """Return each trial's last value of *metric*; NaN where it has none, or one that no figure can show."""
        curves = self.curves.get(metric)
        if curves is not None:
            found = [curves[t.number].values[-1] if t.number in curves else None for t in self.trials]
        else:
            found = [number(t.metrics.get(metric)) for t in self.trials]
        return [math.nan if value is None or not abs(value) < MOST else value for value in found]

    def metrics(self) -> list[str]:
        """Return the names of all numbers that trials reported last, without those that workers fill in."""
        names: dict[str, None] = {}
        for t in self.trials:
            for name, value in t.metrics.items():
                if name not in names and name not in AUTOMATIC and number(value) is not None:
                    names[name] = None
        return list(names)


def chronicle(
    records: Iterable[Record],
    goals: Iterable[Goal] = (),
    metrics: Iterable[str] = (),
    name: str = "",
    again: Callable[[], Iterable[Record]] | None = None,
) -> Chronicle:
    """Return what *records*, from a log's beginning, tell.

    Memory grows with the values of the metrics that are asked for, 16 bytes each, and with the trials.

    Args:
        records: the log.
        goals: what is optimised; curves of these metrics are kept.
        metrics: of which further metrics curves are kept.
        name: what the experiment is called.
        again: returns the records once more, for the lineage of a population; where it is None, they are all kept in
            memory meanwhile if *records* is no sequence.
    """
    reading = Reading(tuple(goals), metrics)
    if again is None:
        kept = list(records)
        records, again = kept, lambda: kept
    for record in records:
        reading.take(record)
    found = reading.told(name)
    if reading.handed:
        found.lineage = Lineage(event for record in again() for event in record.events)
    return found


class Reading:
    """Folds records as they come: a log that grows is read once.

    Args:
        goals: what is optimised; curves of these metrics are kept.
        metrics: of which further metrics curves are kept.

    Attributes:
        handed: whether any trial went on from another one, so that there is a lineage to be told.

    >>> from luthier.store.base import Record
    >>> reading = Reading(())
    >>> reading.take(Record(0, 7.0, (ev.Proposed("t0", 0, {"lr": 0.1}, {}),)))
    >>> reading.told("mine").trials[0].status
    'waiting'
    """

    def __init__(self, goals: tuple[Goal, ...], metrics: Iterable[str] = ()) -> None:
        self._goals, self._row, self.handed = goals, ExperimentRow(), False
        self._tracked = dict.fromkeys([*(goal.metric for goal in goals), *metrics])
        self._curves: dict[str, dict[int, Curve]] = {metric: {} for metric in self._tracked}
        self._by_name = [(metric, "/" in metric, curves) for metric, curves in self._curves.items()]
        self._spans: list[Span] = []
        self._open: dict[TrialId, Span] = {}
        self._orders: dict[TrialId, str] = {}
        self._judgements: list[Judgement] = []
        self._reports = 0

    def take(self, record: Record) -> None:
        """Fold the next record in."""
        rows = self._row.trials
        for event in record.events:
            if event.__class__ is ev.Reported:
                assert isinstance(event, ev.Reported)  # noqa: S101 (for the type checker)
                row = rows[event.trial]
                row.metrics = event.metrics
                row.reports += 1
                self._reports += 1
                if self._by_name:
                    self._plot(row.number, row.reports, event.metrics)
            else:
                self._row.add(type(record)(record.first, record.at, (event,)))
                self._note(event, record.at)
        self._row.started = record.at if self._row.started is None else self._row.started
        self._row.updated = record.at

    def _plot(self, trial: int, count: int, metrics: dict[str, Any]) -> None:
        step = metrics.get(ITERATION)
        if step.__class__ is not int:
            found = number(step)
            step = count if found is None or not math.isfinite(found) else found
        for metric, nested, curves in self._by_name:
            value = metrics.get(metric)
            if value.__class__ is not float:
                value = number(lookup(metrics, metric) if nested else value)
                if value is None:
                    continue
            curve = curves.get(trial)
            if curve is None:
                curve = curves[trial] = Curve()
            curve.steps.append(step)
            curve.values.append(value)

    def _note(self, event: ev.Event, at: float) -> None:
        match event:
            case ev.Launched(trial, attempt, worker):
                span = Span(self._row.trials[trial].number, attempt, str(worker), at)
                self._spans.append(span)
                self._open[trial] = span
                self._orders.pop(trial, None)
            case ev.Halted(trial, _, then, _, config, why=why):
                self._orders[trial] = _ORDERED[then]
                self.handed = self.handed or config is not None
                self._judge(trial, _SAID[then], why)
            case ev.Exited(trial, _, outcome):
                span_of = self._open.pop(trial, None)
                if span_of is not None:
                    span_of.end = at
                    span_of.outcome = _ENDS.get(outcome) or self._orders.get(trial, "stopped")
            case ev.Requeued(trial, why=why):
                self.handed = self.handed or (why is not None and "new" in why and "source" in why)
                self._judge(trial, "went on", why)
            case ev.Ended(trial, Status.STOPPED, _, why):
                self._judge(trial, "stopped", why)
            case _:
                pass

    def _judge(self, trial: TrialId, what: str, why: Why | None) -> None:
        if why is not None and number(why.get("rung")) is not None:
            row = self._row.trials[trial]
            step = number(row.metrics.get(ITERATION))
            self._judgements.append(Judgement(row.number, what, math.nan if step is None else step, why))

    def told(self, name: str) -> Chronicle:
        """Return what was read so far; its curves and spans grow along with what is read later."""
        row = self._row
        return Chronicle(
            trials=[_trial(t) for t in row.trials.values()],
            goals=self._goals,
            curves=self._curves,
            spans=self._spans,
            judgements=self._judgements,
            name=name,
            started=row.started,
            updated=row.updated,
            reports=self._reports,
        )


_SAID = {Then.STOP: "stopped", Then.PAUSE: "waits", Then.REQUEUE: "went on"}


def _trial(row: TrialRow) -> Trial:
    metrics = {name: value for name, value in row.metrics.items() if name != "config"}
    return Trial(
        row.number,
        row.id,
        row.label.name or row.id,
        STATUS_WORDS[row.status],
        dict(flat(row.config)),
        dict(flat(metrics)),
        row.reports,
        row.started,
        row.ended,
    )
