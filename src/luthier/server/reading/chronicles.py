"""Sweeps as chronicles, for figures: their logs are read once, and from then on only what is new."""

from __future__ import annotations

import threading
from array import array
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.callbacks.spelling import flat
from luthier.core.errors import LuthierError
from luthier.core.goal import Goal, lookup, number
from luthier.core.lineage import ITERATION, Lineage
from luthier.core.space import Space
from luthier.plots.chronicle import Chronicle, Curve, Reading
from luthier.server.missing import NotThere
from luthier.server.reading.plain import parsed
from luthier.server.tables import agents, events, history, runs, sweeps
from luthier.store.codec import decode
from luthier.sweeps.read import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.store.base import Record

_KEPT = 4  # sweeps
_TRIALS, _POINTS = 400, 60  # curves of a metric that the log does not hold, and points of each


class _Sweep(msgspec.Struct):
    """A sweep's log as far as it was read."""

    reading: Reading
    length: int = 0
    created_at: float = 0.0
    lineage: Lineage | None = None
    lineage_at: int = 0
    logarithmic: frozenset[str] = frozenset()
    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)


class Chronicles:
    """Chronicles by sweep.

    Args:
        database: the server's.
    """

    def __init__(self, database: sa.Engine) -> None:
        self._database, self._lock = database, threading.Lock()
        self._kept: OrderedDict[str, _Sweep] = OrderedDict()

    def read(self, sweep: str, metric: str | None = None) -> Chronicle:
        """Return what the log of *sweep* tells by now.

        Last values of metrics that no policy hears, and curves of *metric* if it is one of them, come from what the
        runs logged.

        Raises:
            NotThere: there is no such sweep.
        """
        with self._database.connect() as connection:
            columns = (
                sweeps.c.name,
                sweeps.c.metric,
                sweeps.c.mode,
                sweeps.c.created_at,
                sweeps.c.kind,
                sweeps.c.config,
            )
            head = connection.execute(sa.select(*columns).where(sweeps.c.id == sweep)).first()
            if head is None:
                raise NotThere("sweep", sweep)
            goals = () if head.metric is None else (Goal(head.metric, head.mode or "min"),)
            known = self._known(sweep, goals, head)
            with known.lock:
                for record in _records(connection, sweep, known.length):
                    known.reading.take(record)
                    known.length = record.end
                found = known.reading.told(head.name)
                if known.reading.handed:
                    if known.lineage is None or known.lineage_at != known.length:
                        told = (event for record in _records(connection, sweep, 0) for event in record.events)
                        known.lineage, known.lineage_at = Lineage(told), known.length
                    found.lineage = known.lineage
                found = msgspec.structs.replace(found, curves=dict(found.curves), logarithmic=known.logarithmic)
                _fill(connection, sweep, found)
                _name_workers(connection, sweep, found)
                if metric is not None and metric not in found.curves:
                    found.curves[metric] = _logged(connection, sweep, found, metric)
                return found

    def _known(self, sweep: str, goals: tuple[Goal, ...], head: Any) -> _Sweep:
        with self._lock:
            known = self._kept.pop(sweep, None)
            if known is None or known.created_at != head.created_at:
                scales = _logarithmic(head.config) if head.kind == "sweep" else frozenset()
                known = _Sweep(Reading(goals), created_at=head.created_at, logarithmic=scales)
            self._kept[sweep] = known
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return known


def _logarithmic(config: str) -> frozenset[str]:
    """Return the names of the parameters that a sweep searches on a logarithmic scale."""
    try:
        axes = Space(read(config).parameters).axes
    except LuthierError:  # of another release's making: a figure can do without
        return frozenset()
    inner = ((axis, getattr(axis.domain, "inner", axis.domain)) for axis in axes)
    return frozenset("/".join(map(str, axis.path)) for axis, domain in inner if getattr(domain, "log", False))


def _records(connection: sa.Connection, sweep: str, after: int) -> Iterator[Record]:
    query = sa.select(events.c.line).where(events.c.sweep_id == sweep, events.c.first >= after).order_by(events.c.first)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield decode(row.line, unpickle=False)


def _fill(connection: sa.Connection, sweep: str, found: Chronicle) -> None:
    """Add to each trial's last metrics those that its run has and the log has not."""
    by_id = {trial.id: trial for trial in found.trials}
    query = sa.select(runs.c.id, runs.c.name, runs.c.summary).where(runs.c.sweep_id == sweep)
    for row in connection.execute(query):
        trial = by_id.get(row.id)
        if trial is not None:
            trial.name = row.name or trial.name
            summary = parsed(row.summary) if row.summary != "{}" else {}
            if isinstance(summary, dict):
                trial.metrics = dict(flat(summary)) | trial.metrics


def _name_workers(connection: sa.Connection, sweep: str, found: Chronicle) -> None:
    """Call workers as their agents are called, where no two are called the same."""
    rows = connection.execute(sa.select(agents.c.id, agents.c.name).where(agents.c.sweep_id == sweep)).all()
    count = Counter(row.name for row in rows)
    names = {row.id: row.name for row in rows if count[row.name] == 1}
    for span in found.spans:
        span.worker = names.get(span.worker, span.worker)


def _logged(connection: sa.Connection, sweep: str, found: Chronicle, metric: str) -> dict[int, Curve]:
    """Return curves of *metric* for some of the runs, of some of their rows."""
    numbers = {trial.id: trial.number for trial in found.trials if number(trial.metrics.get(metric)) is not None}
    query = sa.select(runs.c.id, runs.c.attempt, runs.c.rows).where(runs.c.sweep_id == sweep).order_by(runs.c.number)
    there = [row for row in connection.execute(query).all() if row.id in numbers]
    step = -(-len(there) // _TRIALS) if there else 1
    curves: dict[int, Curve] = {}
    for row in there[::step]:
        wanted = sorted({round(k * (row.rows - 1) / (_POINTS - 1)) for k in range(_POINTS)}) if row.rows else []
        own = (history.c.run_id == row.id, history.c.attempt == row.attempt)
        chosen = own if row.rows <= _POINTS else (*own, history.c.row.in_(wanted))
        curve = Curve(array("d"), array("d"))
        asked = sa.select(history.c.row, history.c.metrics).where(*chosen).order_by(history.c.row)
        for at in connection.execute(asked):
            metrics = parsed(at.metrics)
            value = number(lookup(metrics, metric))
            if value is not None:
                found_step = number(metrics.get(ITERATION))
                curve.steps.append(at.row + 1 if found_step is None else found_step)
                curve.values.append(value)
        if curve.values:
            curves[numbers[row.id]] = curve
    return curves
