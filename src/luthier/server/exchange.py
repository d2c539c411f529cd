"""The exchange with agents: what they tell goes in, what they are to do comes out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.errors import BadArgument
from luthier.core.terms import Outcome, Status, WorkerId
from luthier.server import ingest
from luthier.server.folding import ENDED, FAILED
from luthier.server.hosted import SLOT, Hosted, Offer
from luthier.server.missing import NotThere
from luthier.server.tables import agents, projects, sweeps
from luthier.server.texts import text, value
from luthier.server.wire import Exchange, Registration, Reply
from luthier.store.values import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from luthier.server.roster import Roster

_FIND = (
    sa.select(agents.c.sweep_id, agents.c.state, agents.c.lease_s, sweeps.c.state.label("of_sweep"))
    .join(sweeps, sweeps.c.id == agents.c.sweep_id)
    .where(agents.c.id == sa.bindparam("agent"))
)
_HEARD = (
    sa.update(agents)
    .where(agents.c.id == sa.bindparam("agent"))
    .values(heartbeat_at=sa.bindparam("now"), launched=sa.bindparam("started"))
)
HEARTBEAT_S = 1.0
LONGEST_LEASE_S = 7 * 24 * 3600.0
SHORTEST_LEASE_S = 1.0
MOST_SLOTS = 1000
HERE, LEFT, LOST = "here", "left", "lost"


def register(
    connection: Connection, roster: Roster, sweep: str, wish: Registration, lease_s: float, now: float
) -> dict[str, Any]:
    """Take in an agent; return what it needs to know.

    Raises:
        NotThere: there is no such sweep.
        BadArgument: what it says of itself cannot be.
    """
    offer = offered(wish)
    hosted = roster.of(connection, sweep)
    lease = lease_s if wish.lease_s is None else wish.lease_s
    lease = min(max(lease, SHORTEST_LEASE_S), LONGEST_LEASE_S)
    agent = "a" + secrets.token_hex(8)
    connection.execute(
        sa.insert(agents).values(
            id=agent,
            sweep_id=sweep,
            name=wish.name[:200],
            host=wish.host[:200],
            pid=wish.pid,
            resources=text(offer.resources),
            count=wish.count,
            state=HERE,
            lease_s=lease,
            joined_at=now,
            heartbeat_at=now,
        )
    )
    hosted.offers[agent] = offer
    if hosted.state not in ENDED:
        hosted.join(agent)
    roster.save(connection, hosted, now)
    return {
        "agent": agent,
        "lease_s": lease,
        "heartbeat_s": heartbeat_s(lease),
        "sweep": _about(connection, hosted),
    }


def exchange(connection: Connection, roster: Roster, agent: str, told: Exchange, now: float) -> Reply:
    """Take what *agent* tells, and return what it is to do.

    Raises:
        NotThere: there is no such agent.
        Unreadable: what it tells cannot be read; nothing of it counts.
        PolicyError: a policy raised; nothing of it counts.
    """
    row = connection.execute(_FIND, {"agent": agent}).one_or_none()
    if row is None:
        raise NotThere("agent", agent)
    if row.of_sweep == FAILED:
        return _parting(told, row.lease_s)
    hosted = roster.of(connection, row.sweep_id)
    if agent not in hosted.offers:
        _recall(connection, hosted, agent)
    if hosted.launches(agent):  # what is known of its runs lies in the database
        roster.save(connection, hosted, now)
    for stimulus in ingest.take(connection, hosted, agent, told.said, now):
        hosted.handle(stimulus)
    holding = {(held.run, held.attempt) for held in told.holding}
    over = hosted.state in ENDED
    state = row.state
    if state == LOST and not holding and not over:  # it is back, and free
        state = HERE
        hosted.join(agent)
    orders = list(_orders(hosted, agent, holding))
    reason = None
    if not holding and not hosted.held(agent):
        reason = _reason_to_go(hosted, agent, over=over, left=state == LEFT)
        if reason is not None:
            state = LEFT
            hosted.handle(ev.WorkerLost(WorkerId(agent), on_purpose=True))
    if hosted.unsaved or hosted.tails:
        roster.save_later(hosted, now)
    seen = {"agent": agent, "now": now, "started": hosted.launched.get(agent, 0)}
    connection.execute(_HEARD, seen)
    if state != row.state:
        changed = {"state": state, "ended_at": None if state == HERE else now}
        connection.execute(sa.update(agents).where(agents.c.id == agent).values(**changed))
    return Reply(orders, len(told.said), heartbeat_s(row.lease_s), reason)


def _parting(told: Exchange, lease_s: float) -> Reply:
    """Return what an agent of a sweep hears whose policies raise: nothing can be decided there any more."""
    reason = "the sweep failed"
    halts = [_halt(held.run, held.attempt, reason, save=False) for held in told.holding]
    return Reply(halts, len(told.said), heartbeat_s(lease_s), None if halts else reason)


def leave(connection: Connection, roster: Roster, agent: str, now: float) -> None:
    """Let *agent* go; its runs go to others.

    Raises:
        NotThere: there is no such agent.
    """
    part_with(connection, roster, agent, LEFT, now)


def part_with(connection: Connection, roster: Roster, agent: str, state: str, now: float) -> None:
    """Take the runs of *agent* away, which left or was lost.

    Raises:
        NotThere: there is no such agent.
    """
    row = connection.execute(_FIND, {"agent": agent}).one_or_none()
    if row is None:
        raise NotThere("agent", agent)
    if row.of_sweep != FAILED:  # where a policy raises, nothing can be decided any more
        hosted = roster.of(connection, row.sweep_id)
        hosted.handle(ev.WorkerLost(WorkerId(agent), on_purpose=state == LEFT))
        roster.save(connection, hosted, now)
    connection.execute(sa.update(agents).where(agents.c.id == agent).values(state=state, ended_at=now))


def heartbeat_s(lease_s: float) -> float:
    """Return how often an agent is to say hello, in seconds.

    >>> heartbeat_s(300.0), heartbeat_s(2.0)
    (1.0, 0.4)
    """
    return min(HEARTBEAT_S, lease_s / 5)


def _orders(hosted: Hosted, agent: str, holding: set[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Yield what sets apart what *agent* holds from what it is to hold.

    A run that it is to let go and never held is let go at once.
    """
    experiment = hosted.engine.experiment
    unheld = [
        (trial.id, trial.attempt)
        for trial in experiment.holders(WorkerId(agent))
        if trial.status is Status.HALTING and (trial.id, trial.attempt) not in holding
    ]
    for trial_id, attempt in unheld:
        hosted.handle(ev.Exited(trial_id, attempt, Outcome.HALTED))
    own = set()
    for trial in experiment.holders(WorkerId(agent)):
        key = (trial.id, trial.attempt)
        own.add(key)
        if key not in holding:
            restore = None if trial.checkpoint is None else ingest.file_of(trial.checkpoint)
            yield {
                "is": "run",
                "run": trial.id,
                "attempt": trial.attempt,
                "number": trial.number,
                "name": trial.label.name,
                "params": to_json(trial.config),
                "restore": None if restore is None else restore[1],
                "restore_run": None if restore is None else restore[0],
                "resources": {name: n for name, n in trial.resources.items() if name != SLOT},
            }
        elif trial.status is Status.HALTING and trial.order is not None:
            yield _halt(*key, trial.order.reason, save=trial.order.then.value != "stop")
    for run, attempt in sorted(holding - own):
        yield _halt(run, attempt, "it went to another agent, or is no longer wanted", save=False)


def _halt(run: str, attempt: int, reason: str, *, save: bool) -> dict[str, Any]:
    return {"is": "halt", "run": run, "attempt": attempt, "reason": reason, "save": save}


def _reason_to_go(hosted: Hosted, agent: str, *, over: bool, left: bool) -> str | None:
    if hosted.finished or over:
        return "the sweep is at its end"
    if left:
        return "it has left the sweep"
    if hosted.used_up(agent):
        return f"it has started the {hosted.offers[agent].count} runs that it was to"
    if hosted.wanted == "FINISHED" and not hosted.engine.experiment.waiting:
        return "the sweep gets no further runs"
    return None


def _recall(connection: Connection, hosted: Hosted, agent: str) -> None:
    """Learn of an agent that registered with another server."""
    chosen = sa.select(agents.c.resources, agents.c.count.label("most")).where(agents.c.id == agent)
    row = connection.execute(chosen).one()
    hosted.offers[agent] = Offer(value(row.resources), row.most)


def offered(wish: Registration) -> Offer:
    """Return what an agent offers.

    Raises:
        BadArgument: it cannot be.
    """
    if wish.count is not None and wish.count < 1:
        raise BadArgument("count", wish.count, "a whole number above 0, or nothing for no limit")
    for what, words in (("name", wish.name), ("host", wish.host), ("resources", "".join(wish.resources))):
        if "\x00" in words:  # PostgreSQL takes none
            raise BadArgument(what, words[:100], "a text without NUL")
    return Offer(_resources(wish.resources), wish.count)


def _resources(given: dict[str, float]) -> dict[str, float]:
    resources = {SLOT: 1.0, **given}
    for name, amount in resources.items():
        if not 0 <= amount < 1e9:  # noqa: PLR2004 (more than any machine has)
            raise BadArgument(f"resources[{name!r}]", amount, "a number from 0 on")
    if not 1 <= resources[SLOT] <= MOST_SLOTS or resources[SLOT] != int(resources[SLOT]):
        wanted = f"a whole number from 1 to {MOST_SLOTS}: how many runs at once"  # all are proposed in one transaction
        raise BadArgument("resources['slot']", resources[SLOT], wanted)
    return resources


def _about(connection: Connection, hosted: Hosted) -> dict[str, Any]:
    chosen = (
        sa.select(sweeps.c.name, sweeps.c.state, sweeps.c.metric, sweeps.c.mode, projects.c.name.label("project"))
        .join(projects, projects.c.id == sweeps.c.project_id)
        .where(sweeps.c.id == hosted.id)
    )
    row, spec = connection.execute(chosen).one(), hosted.plan.spec
    return {
        "id": hosted.id,
        "name": row.name,
        "project": row.project,
        "state": row.state,
        "metric": row.metric,
        "mode": row.mode,
        "program": spec.program,
        "command": list(spec.command),
        "environment": spec.environment,
        "settings": spec.settings,
        "output_metrics": spec.output_metrics,
    }
