"""All runs of a sweep as rows of one table, kept until something changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.core.terms import AUTOMATIC
from luthier.server.missing import NotThere
from luthier.server.reading.plain import leaves
from luthier.server.tables import agents, runs, sweeps

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = (
    "number", "name", "id", "state", "attempt", "created_at", "started_at", "heartbeat_at", "ended_at", "rows",
    "exit_code", "reason", "error", "group", "notes", "agent_id",
)  # fmt: skip
_KEPT, _LARGEST = 4, 20_000  # lineups, and runs in one that is kept


class Lineup(msgspec.Struct):
    """The runs of a sweep.

    Attributes:
        metric: what is optimised, if anything.
        mode: ``"min"`` or ``"max"``.
        rows: a dict for each run: its fields, ``runtime`` and ``host``, ``config/...`` and ``summary/...``.
        columns: the names of all columns that any row has, in the order in which they came.
        texts: of each run, config and summary as they are stored.
    """

    metric: str | None
    mode: str | None
    rows: list[dict[str, Any]]
    columns: list[str]
    texts: dict[str, tuple[str, str, dict[str, Any]]]


class Lineups:
    """Lineups by sweep; one is read anew only if its sweep has changed, and then only what is new is parsed.

    Args:
        database: the server's.
    """

    def __init__(self, database: sa.Engine) -> None:
        self._database, self._lock = database, threading.Lock()
        self._kept: OrderedDict[str, tuple[tuple[Any, ...], Lineup]] = OrderedDict()

    def read(self, sweep: str) -> Lineup:
        """Return the runs of *sweep* as they are now.

        Raises:
            NotThere: there is no such sweep.
        """
        with self._database.connect() as connection:
            head = connection.execute(
                sa.select(sweeps.c.length, sweeps.c.updated_at, sweeps.c.metric, sweeps.c.mode).where(
                    sweeps.c.id == sweep
                )
            ).first()
            if head is None:
                raise NotThere("sweep", sweep)
            mark = (*head, *connection.execute(_mark(sweep)).one())
            with self._lock:
                known = self._kept.get(sweep)
                if known is not None:
                    self._kept.move_to_end(sweep)
            if known is not None and known[0] == mark:
                return known[1]
            found = _lineup(connection, sweep, head.metric, head.mode, known[1].texts if known is not None else {})
        with self._lock:
            self._kept.pop(sweep, None)
            if len(found.rows) <= _LARGEST:
                self._kept[sweep] = (mark, found)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return found


def _mark(sweep: str) -> sa.Select[Any]:
    """Return the query for what changes whenever a row does."""
    columns = (runs.c.rows, runs.c.lines, runs.c.attempt)
    times = (runs.c.heartbeat_at, runs.c.ended_at, runs.c.started_at)
    counted = [sa.func.count(), *(sa.func.sum(each) for each in columns), *(sa.func.max(each) for each in times)]
    ended = sa.func.count(runs.c.ended_at)
    return sa.select(*counted, ended).where(runs.c.sweep_id == sweep)


def _lineup(
    connection: sa.Connection,
    sweep: str,
    metric: str | None,
    mode: str | None,
    known: dict[str, tuple[str, str, dict[str, Any]]],
) -> Lineup:
    wanted = [runs.c[name] for name in FIELDS]
    query = (
        sa.select(*wanted, runs.c.config, runs.c.summary, agents.c.host)
        .outerjoin(agents, agents.c.id == runs.c.agent_id)
        .where(runs.c.sweep_id == sweep)
        .order_by(runs.c.number)
    )
    rows: list[dict[str, Any]] = []
    texts: dict[str, tuple[str, str, dict[str, Any]]] = {}
    columns: dict[str, None] = dict.fromkeys([*FIELDS, "host", "runtime"])
    for found in connection.execute(query).all():
        row = dict(zip(FIELDS, found, strict=False))
        row["host"] = found[-1]
        if row["started_at"] is not None:
            row["runtime"] = max(0.0, (row["ended_at"] or row["heartbeat_at"] or row["started_at"]) - row["started_at"])
        config, summary = found[-3], found[-2]
        before = known.get(row["id"])
        if before is None or before[0] != config or before[1] != summary:
            before = (config, summary, dict(_values(config, summary)))
        texts[row["id"]] = before
        row |= before[2]
        columns.update(dict.fromkeys(before[2]))
        rows.append(row)
    configs = [name for name in columns if name.startswith("config/")]
    rest = [name for name in columns if not name.startswith("config/")]
    return Lineup(metric, mode, rows, [*rest, *configs], texts)


def _values(config: str, summary: str) -> Iterator[tuple[str, Any]]:
    """Yield metrics and parameters, what workers fill in by themselves last."""
    found = leaves(summary)
    yield from ((f"summary/{name}", value) for name, value in found.items() if name not in AUTOMATIC)
    yield from ((f"config/{name}", value) for name, value in leaves(config).items())
    yield from ((f"summary/{name}", value) for name, value in found.items() if name in AUTOMATIC)
