"""W&B's agents: they register, and their heartbeats bring one command at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from fastapi import HTTPException

from luthier.core.terms import WorkerId
from luthier.server import exchange
from luthier.server.auth.caller import Role
from luthier.server.folding import ENDED
from luthier.server.hosted import Hosted, Offer
from luthier.server.tables import agents, runs, sweeps
from luthier.server.texts import value
from luthier.server.wandb.naming import called
from luthier.server.wandb.sweeps import sweep_of
from luthier.server.wandb.values import dumped, mapping, wrapped
from luthier.server.wire import Exchange, Registration, Reply
from luthier.store.values import from_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luthier.server.roster import Roster
    from luthier.server.wandb.asked import Asked

_ROW = (
    sa.select(agents, sweeps.c.project_id, sweeps.c.state.label("of_sweep"))
    .join(sweeps, sweeps.c.id == agents.c.sweep_id)
    .where(agents.c.id == sa.bindparam("agent"))
)
_HELD = sa.select(runs.c.id, runs.c.attempt, runs.c.state, runs.c.about).where(
    runs.c.agent_id == sa.bindparam("agent"), runs.c.state.in_(("running", "stopping"))
)


class CreateAgent(msgspec.Struct, rename="camel"):
    """An agent that comes."""

    sweep: str
    host: str = ""
    project_name: str | None = None


class Heartbeat(msgspec.Struct, rename="camel"):
    """What an agent says: its runs that are alive, as an object in JSON."""

    id: str
    run_state: str | None = None


def create(asked: Asked, told: CreateAgent) -> dict[str, Any]:
    """Register an agent; it gets its next run when it says that it has none.

    It says nothing of its machine: it has room for one run, whatever a run of its sweep asks for.
    """
    now, service = time.time(), asked.service
    with asked.reading() as connection:
        sweep = sweep_of(asked, connection, told.sweep, told.project_name, Role.WRITE).id

    def work(connection: Connection) -> dict[str, Any]:
        room = service.roster.of(connection, sweep).plan.spec.resources
        wish = Registration(told.host or "wandb", told.host, resources=dict(room), count=1)
        return exchange.register(connection, service.roster, sweep, wish, service.lease_s, now)

    made = asked.write(work, sweep)
    return {"createAgent": {"agent": {"id": made["agent"]}}}


def heartbeat(asked: Asked, told: Heartbeat) -> dict[str, Any]:
    """Hear which runs of an agent are alive; return what it is to do, as a list in JSON."""
    now, lookout, roster = time.time(), asked.desk.lookout, asked.service.roster
    with asked.reading() as connection:
        row = connection.execute(_ROW, {"agent": told.id}).one_or_none()
        held = connection.execute(_HELD, {"agent": told.id}).all()
    if row is None:
        raise HTTPException(404, "Not Found")
    asked.allow(row.project_id, Role.WRITE)
    alive = [name for name, lives in mapping(told.run_state).items() if lives]
    said = lookout.told(told.id, held, alive, now)
    reply, program = asked.write(lambda c: _beat(c, roster, row, said, now, idle=not alive), row.sweep_id)
    order = lookout.command(told.id, reply.orders, alive, now, gentle=program is not None)
    commands = [{"type": "exit"}] if reply.exit and not alive else []
    if order is not None:
        commands = [_command(order, program)]
    return {"agentHeartbeat": {"agent": {"id": told.id}, "commands": dumped(commands)}}


def _beat(
    connection: Connection, roster: Roster, row: Any, said: Exchange, now: float, *, idle: bool
) -> tuple[Reply, str | None]:
    """Tell what an agent said; return its orders, and the program of its sweep.

    An agent may leave after any run without a word.  So it has room for a run only when it says that it has none.
    """
    hosted = roster.of(connection, row.sweep_id)
    agent, program = row.id, hosted.plan.spec.program
    reply = None
    if said.holding:
        reply = exchange.exchange(connection, roster, agent, said, now)
    if idle and not hosted.held(agent):
        if row.state != exchange.LEFT and hosted.state not in ENDED:
            _make_room(connection, roster, hosted, row, now)
        reply = None
    return reply or exchange.exchange(connection, roster, agent, Exchange(), now), program


def _make_room(connection: Connection, roster: Roster, hosted: Hosted, row: Any, now: float) -> None:
    """Have an agent offer room for one more run than it has started."""
    agent = row.id
    offer = hosted.offers.get(agent) or Offer(value(row.resources), row.count)
    room = hosted.launched.get(agent, 0) + 1
    hosted.offers[agent] = Offer(offer.resources, room)
    if row.count != room:
        connection.execute(sa.update(agents).where(agents.c.id == agent).values(count=room))
    if row.state == exchange.HERE and _capacity(hosted, agent) != hosted.capacity(agent):
        hosted.join(agent)
        roster.save(connection, hosted, now)


def _capacity(hosted: Hosted, agent: str) -> dict[str, float] | None:
    worker = hosted.engine.experiment.workers.get(WorkerId(agent))
    return None if worker is None else dict(worker.resources)


def _command(order: Any, program: str | None) -> dict[str, Any]:
    name = called(order["run"], order["attempt"])
    if order["is"] == "halt":
        return {"type": "stop", "run_id": name}
    params = from_json(order["params"], unpickle=False)
    assert isinstance(params, dict)  # noqa: S101 (we wrote it)
    return {"type": "run", "run_id": name, "program": program or "", "args": wrapped(params)}
