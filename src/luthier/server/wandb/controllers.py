"""Sweeps that are driven from elsewhere: W&B's local controller says what is tried, and which runs are to stop.

It writes a wish, ``{"schedule": [{"id", "data": {"args"}}], "earlystop": [names]}``, and reads which run each of its
ids became.  What is enqueued is born in its order, before all else, so that a run's id is known before there is a run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.core import events as ev
from luthier.server import sweeping
from luthier.server.auth.caller import Role
from luthier.server.folding import ENDED
from luthier.server.tables import runs, sweeps
from luthier.server.texts import text, value
from luthier.server.wandb.asked import Asked, Refused
from luthier.server.wandb.naming import parsed
from luthier.server.wandb.values import mapping, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from luthier.server.hosted import Hosted
    from luthier.server.roster import Roster


class Enqueue(msgspec.Struct):
    """A run that somebody wants."""

    id: str
    config: str


def begun() -> str:
    """Return what is kept of a controller that has said nothing yet."""
    return text({"wish": {}, "scheduled": []})


def kept_of(row: Any) -> dict[str, Any]:
    """Return what is kept of the controller of the sweep's *row*."""
    return value(row.controller) if row.controller else {"wish": {}, "scheduled": []}


def drive(connection: Connection, roster: Roster, sweep: str, wish: dict[str, Any], now: float, by: str) -> None:
    """Do what a controller wishes; what was done for an earlier wish is not done again.

    Raises:
        NotThere: there is no such sweep.
    """
    hosted = roster.of(connection, sweep)
    kept = kept_of(connection.execute(sa.select(sweeps.c.controller).where(sweeps.c.id == sweep)).one())
    scheduled, over = kept["scheduled"], False
    known = {entry["id"] for entry in scheduled}
    for name, args in _wanted(wish):
        if name in known:
            continue
        cap = hosted.plan.spec.run_cap
        over = args is None or (cap is not None and len(scheduled) >= cap)
        if over or hosted.state in ENDED:
            break
        scheduled.append({"id": name, "runid": _enqueue(hosted, unwrapped(args or {}))})
    told = text({"wish": wish, "scheduled": scheduled})
    connection.execute(sa.update(sweeps).where(sweeps.c.id == sweep).values(controller=told))
    roster.save(connection, hosted, now)
    for run in _listed(wish.get("earlystop")):
        _stop(connection, roster, sweep, str(run), now, by)
    if over and hosted.state not in ENDED:
        sweeping.change_state(connection, roster, sweep, sweeping.FINISHED, now, by)


def _wanted(wish: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield what a controller wants tried, by its own ids; None in place of a config is the end.

    Raises:
        Refused: it cannot be read.
    """
    for entry in _listed(wish.get("schedule")):
        data = entry.get("data") if isinstance(entry, dict) else None
        args = data.get("args", ...) if isinstance(data, dict) else ...  # null is the end, nothing is an error
        if not isinstance(args, dict | None) or not isinstance(entry.get("id"), str):
            raise Refused(
                'a controller\'s schedule has entries like {"id": "a", "data": {"args": {"x": {"value": 1}}}}'
            )
        yield entry["id"], args


def _listed(given: object) -> list[Any]:
    if not isinstance(given, list | None):
        raise Refused("a controller's schedule and earlystop are lists")
    return given or []


def enqueue(asked: Asked, told: Enqueue) -> dict[str, Any]:
    """Have a config tried before what the server would try next."""
    now, roster = time.time(), asked.service.roster

    def work(connection: Connection) -> str:
        place = connection.execute(sa.select(sweeps.c.project_id).where(sweeps.c.id == told.id)).scalar()
        asked.allow(-1 if place is None else place, Role.WRITE)
        hosted = roster.of(connection, told.id)
        if hosted.state in ENDED:
            raise Refused(f"the sweep {told.id} is at its end")
        cap, there = hosted.plan.spec.run_cap, hosted.engine.experiment
        if not hosted.plan.driven and cap is not None and len(there) + len(there.enqueued) >= cap:
            raise Refused(f"the sweep {told.id} has the {cap} runs that run_cap allows")
        run = _enqueue(hosted, unwrapped(mapping(told.config)))
        roster.save(connection, hosted, now)
        asked.note(connection, "sweep.enqueue", told.id, {"run": run})
        return run

    return {"enqueueSweepRun": {"id": asked.write(work, told.id), "runQueueItemId": None}}


def _enqueue(hosted: Hosted, config: dict[str, Any]) -> str:
    """Have *config* tried; return the id of the run that it becomes.

    Raises:
        BadArgument: it is no config of this sweep.
    """
    hosted.plan.check(config)
    number = len(hosted.engine.experiment) + len(hosted.engine.experiment.enqueued)
    hosted.handle(ev.Enqueued(config))
    return f"{hosted.id}_{number:05d}"


def _stop(connection: Connection, roster: Roster, sweep: str, name: str, now: float, by: str) -> None:
    known = parsed(name)
    if known is None:
        return
    chosen = sa.select(runs.c.state).where(runs.c.id == known[0], runs.c.sweep_id == sweep, runs.c.attempt == known[1])
    if connection.execute(chosen).scalar() in {"running", "waiting", "paused"}:
        sweeping.stop_run(connection, roster, known[0], now, f"{by}'s controller")
