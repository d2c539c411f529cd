"""Runs by themselves, of no sweep: a script that called ``wandb.init()``."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.database import reading
from luthier.server.tables import history, runs
from luthier.server.texts import text, value
from luthier.server.wandb.naming import free_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from luthier.server.service import Service
    from luthier.server.wandb.told import Told

RUNNING, STOPPING, FINISHED, FAILED, STOPPED, CRASHED = (
    "running",
    "stopping",
    "finished",
    "failed",
    "stopped",
    "crashed",
)
OVER = frozenset({FINISHED, FAILED, STOPPED})
_HISTORY = sa.insert(history)
SILENT_S = 300.0  # a client that has nothing to tell says so every 30 s
RESUMES_S = 600.0  # how long after asking for what there is of a run a client may go on with it


def create(connection: Connection, project: int, name: str, now: float) -> Any:
    """Make a run called *name* and return its row.

    Raises:
        BadArgument: it is no name for a run.
    """
    last = sa.select(sa.func.max(runs.c.number)).where(runs.c.project_id == project, runs.c.sweep_id.is_(None))
    number = (connection.execute(last).scalar() or 0) + 1
    run = free_id(connection, project, name)
    connection.execute(
        sa.insert(runs).values(
            id=run,
            project_id=project,
            number=number,
            name=f"run-{number}",
            state=RUNNING,
            config="{}",
            attempt=1,
            created_at=now,
            started_at=now,
            heartbeat_at=now,
        )
    )
    return connection.execute(sa.select(runs).where(runs.c.id == run)).one()


def begin_again(row: Any, now: float) -> dict[str, Any]:
    """Return what is to change in *row*, of a run that has ended and whose name comes again.

    Who asked before for what there is of it goes on with it; who did not begins anew.
    """
    about = value(row.about)
    asked = about.pop("resumes_at", 0.0)
    found: dict[str, Any] = {"state": RUNNING, "ended_at": None, "exit_code": None, "error": "", "heartbeat_at": now}
    if now - asked > RESUMES_S:
        found |= {"attempt": row.attempt + 1, "rows": 0, "lines": 0, "summary": "{}", "config": "{}", "started_at": now}
        about = {}
    return {**found, "about": text(about)}


def go_on(row: Any) -> dict[str, Any]:
    """Return what is to change in *row*, of a run that was taken for dead and whose client is heard of again."""
    return {"state": RUNNING, "ended_at": None, "reason": ""} if row.state == CRASHED else {}


def take(connection: Connection, row: Any, told: Told, now: float) -> None:
    """Store what the client of a run *told*."""
    changed: dict[str, Any] = {"heartbeat_at": now}
    if row.state == CRASHED:
        changed |= go_on(row)
    if told.rows:
        changed["rows"] = _rows(connection, row, told.first_row, told.rows, told.at)
    if told.summary is not None:
        changed["summary"] = text(told.summary)
    if told.complete and row.state not in {*OVER, "deleted"}:
        ended = STOPPED if row.state == STOPPING else FAILED if told.exit_code else FINISHED
        changed |= {"state": ended, "ended_at": now, "exit_code": told.exit_code}
        if ended == FAILED:
            changed["error"] = told.error
    connection.execute(_changing(frozenset(changed)), {"changed": row.id, **changed})


@functools.cache
def _changing(columns: frozenset[str]) -> sa.Update:
    """Return the statement that changes those *columns* of a run: it is made once."""
    values: dict[str, Any] = {column: sa.bindparam(column) for column in columns}
    return sa.update(runs).where(runs.c.id == sa.bindparam("changed")).values(**values)


def _rows(connection: Connection, row: Any, first: int, rows: Sequence[dict[str, Any]], at: Sequence[float]) -> int:
    """Store history from row *first* on; return how much there is of it now."""
    fresh = range(max(row.rows - first, 0), len(rows))
    if fresh:
        own = {"run_id": row.id, "attempt": row.attempt}
        connection.execute(
            _HISTORY,
            [{**own, "row": first + i, "at": at[i], "metrics": text(rows[i])} for i in fresh],
        )
    return max(int(row.rows), first + len(rows))


class Watch:
    """Looks now and then for runs that are no longer heard of.

    Args:
        service: the server's.
        silent_s: how long is too long.
    """

    def __init__(self, service: Service, silent_s: float = SILENT_S) -> None:
        self._service, self._silent_s = service, silent_s
        self._next = time.time() + silent_s  # who was here before us has had no chance to say anything

    def __call__(self, now: float) -> None:
        """State of runs that were silent for too long that they crashed."""
        if now < self._next:
            return
        self._next = now + self._silent_s / 10
        silent = (
            runs.c.sweep_id.is_(None),
            runs.c.state.in_((RUNNING, STOPPING)),
            sa.func.coalesce(runs.c.heartbeat_at, runs.c.created_at) < now - self._silent_s,
        )
        with reading(self._service.engine) as connection:
            if connection.execute(sa.select(runs.c.id).where(*silent).limit(1)).first() is None:
                return
        crashed = {"state": CRASHED, "ended_at": now, "reason": f"not heard of for {self._silent_s:g} s"}
        self._service.writer.do(lambda c: c.execute(sa.update(runs).where(*silent).values(**crashed)))
