"""The stream of a run: its history, its summary, what it prints, and its end, each part by where it belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from fastapi import HTTPException

from luthier.core.native import native
from luthier.server.tables import runs
from luthier.server.texts import text, value
from luthier.server.wandb import console, plain
from luthier.server.wandb.naming import Found, find, parsed
from luthier.server.wandb.told import Told, read
from luthier.server.wire import Exchange, Exited, Holding, Rows, Summary
from luthier.store.values import to_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luthier.server.wandb.asked import Asked

_SYSTEM = "system"


def stream(asked: Asked, project: str, name: str, body: bytes, now: float) -> dict[str, Any]:
    """Take what the client of the run called *name* sends; return the answer, in which it may be told to stop."""
    told = read(body, now)
    if parsed(name) is not None:
        with asked.reading() as connection:
            found = find(connection, asked.project(connection, project), name)
        if found is not None and found.row.sweep_id is not None:
            return {"stopped": _of_sweep(asked, found, told, now)}
    stopped = asked.write(lambda c: _alone(c, asked, project, name, told, now))
    if isinstance(stopped, HTTPException):
        raise stopped
    return {"stopped": stopped}


def _alone(
    connection: Connection, asked: Asked, project: str, name: str, told: Told, now: float
) -> bool | HTTPException:
    """Take what a run by itself tells; return whether it is to stop, or why nothing was taken."""
    try:
        place = asked.project(connection, project)
    except HTTPException as refusal:  # to raise it here would have the work of others done once more
        return refusal
    found = find(connection, place, name)
    row = plain.create(connection, place, name, now) if found is None else found.row
    plain.take(connection, row, told, now)
    _beside(connection, row, told, now)
    return bool(row.state in {plain.STOPPING, "deleted"})


def _beside(connection: Connection, row: Any, told: Told, now: float) -> None:
    """Store what no policy hears: output and the state of the machine."""
    console.write(connection, row.id, row.attempt, told.first_line, told.lines, now)
    if told.system:
        about = {**value(row.about), _SYSTEM: told.system, "system_rows": told.system_rows}
        connection.execute(sa.update(runs).where(runs.c.id == row.id).values(about=text(about)))


def _of_sweep(asked: Asked, found: Found, told: Told, now: float) -> bool:
    """Take what a sweep's run tells, in its agent's name; return whether it is to stop."""
    row, run, attempt = found.row, found.row.id, found.attempt
    if not found.current or row.agent_id is None:
        return not told.complete  # what is left of an attempt that is over
    if told.lines or told.system:
        asked.write(lambda c: _beside(c, row, told, now), row.sweep_id)
    said: list[Any] = []
    if told.rows:
        said.append(Rows(run, attempt, told.first_row, [_tagged(each) for each in told.rows], told.at))
    if told.summary is not None:
        said.append(Summary(run, attempt, _tagged(told.summary)))
    if told.complete:
        outcome = "halted" if row.state == "stopping" else "failed" if told.exit_code else "finished"
        said.append(Exited(run, attempt, outcome, now, told.exit_code, told.error if outcome == "failed" else ""))
    reply = asked.exchange(row.agent_id, Exchange([Holding(run, attempt)], said))
    return not told.complete and any(order["is"] == "halt" and order["run"] == run for order in reply.orders)


def _tagged(row: dict[str, Any]) -> Any:
    return row if native(row) else to_json(row)
