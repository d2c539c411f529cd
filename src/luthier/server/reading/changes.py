"""What has changed in a sweep or a run since it was looked at last."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.tables import agents, projects, runs, sweeps

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MOST = 100  # changed runs that are told one by one
_OPEN = ("waiting", "running", "stopping", "paused")
_RECENT = 60.0  # seconds before the last end within which ends are looked at again
_TOLD = ("id", "number", "name", "state", "value", "rows", "lines", "attempt", "started_at", "heartbeat_at", "ended_at")


class SweepChanges:
    """Looks at a sweep again and again.

    Args:
        database: the server's.
        sweep: id of the sweep.
    """

    def __init__(self, database: sa.Engine, sweep: str) -> None:
        self._database, self._sweep = database, sweep
        self._mark: tuple[Any, ...] | None = None
        self._known: dict[str, tuple[Any, ...]] = {}

    def look(self) -> Mapping[str, Any] | None:
        """Return what is new: the sweep's length, state, counts and best run, and the runs that have changed.

        Empty where nothing is; None where the sweep is gone.
        """
        with self._database.connect() as connection:
            columns = ("length", "state", "wanted", "reason", "expected", "best_run", "best_value", "updated_at")
            head = connection.execute(
                sa.select(*(sweeps.c[c] for c in columns)).where(sweeps.c.id == self._sweep)
            ).first()
            if head is None:
                return None
            own = runs.c.sweep_id == self._sweep
            sums = (sa.func.sum(runs.c.rows), sa.func.sum(runs.c.lines), sa.func.max(runs.c.heartbeat_at))
            counted = sa.select(runs.c.state, sa.func.count(), *sums, sa.func.max(runs.c.ended_at))
            states = connection.execute(counted.where(own).group_by(runs.c.state).order_by(runs.c.state)).all()
            here = sa.select(agents.c.state, sa.func.count()).where(agents.c.sweep_id == self._sweep)
            hands = connection.execute(here.group_by(agents.c.state).order_by(agents.c.state)).all()
            mark = (*head, *map(tuple, states), *map(tuple, hands))
            if mark == self._mark:
                return {}
            changed = self._changed(connection, max((row[-1] for row in states if row[-1] is not None), default=0.0))
            self._mark = mark
        found: dict[str, Any] = head._asdict()
        found["best_value"] = _finite(found["best_value"])
        found["counts"] = {row[0]: row[1] for row in states}
        found["agents"] = {row[0]: row[1] for row in hands}
        found["runs"] = changed[:MOST]
        found["many"] = len(changed) > MOST
        return found

    def _changed(self, connection: sa.Connection, last_end: float) -> list[dict[str, Any]]:
        recent = sa.or_(runs.c.state.in_(_OPEN), runs.c.ended_at >= last_end - _RECENT)
        query = sa.select(*(runs.c[c] for c in _TOLD)).where(runs.c.sweep_id == self._sweep, recent)
        first, before = self._mark is None, self._known
        self._known = {row.id: tuple(row) for row in connection.execute(query.order_by(runs.c.number))}
        if first:
            return []
        return [_told(row) for key, row in self._known.items() if before.get(key) != row]


class ListChanges:
    """Looks at the sweeps of projects again and again.

    Args:
        database: the server's.
        only: the ids of the projects that may be seen; all where None.
    """

    def __init__(self, database: sa.Engine, only: Collection[int] | None) -> None:
        self._database, self._only = database, only
        self._mark: tuple[Any, ...] | None = None

    def look(self) -> Mapping[str, Any]:
        """Return how many sweeps there are in which state, if anything in them is new; empty where nothing is."""
        sums = (sa.func.sum(sweeps.c.length), sa.func.max(sweeps.c.updated_at), sa.func.max(sweeps.c.created_at))
        query = sa.select(sweeps.c.state, sa.func.count(), *sums).group_by(sweeps.c.state).order_by(sweeps.c.state)
        if self._only is not None:
            query = query.where(sweeps.c.project_id.in_(list(self._only)))
        with self._database.connect() as connection:
            rows = connection.execute(query).all()
            here = connection.scalar(sa.select(sa.func.count()).select_from(projects))
        mark = (here, *map(tuple, rows))
        if mark == self._mark:
            return {}
        self._mark = mark
        return {"counts": {row[0]: row[1] for row in rows}}


class RunChanges:
    """Looks at a run again and again.

    Args:
        database: the server's.
        run: id of the run.
    """

    def __init__(self, database: sa.Engine, run: str) -> None:
        self._database, self._run = database, run
        self._row: tuple[Any, ...] | None = None

    def look(self) -> Mapping[str, Any] | None:
        """Return the run's state and how much it logged, if that is new; None where the run is gone."""
        with self._database.connect() as connection:
            query = sa.select(*(runs.c[c] for c in _TOLD)).where(runs.c.id == self._run)
            row = connection.execute(query).first()
        if row is None:
            return None
        if tuple(row) == self._row:
            return {}
        self._row = tuple(row)
        return _told(self._row)


def _told(row: tuple[Any, ...]) -> dict[str, Any]:
    found = dict(zip(_TOLD, row, strict=True))
    found["value"] = _finite(found["value"])
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
