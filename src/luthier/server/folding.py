"""Views: the rows of ``runs`` and ``sweeps`` as the log leaves them, written in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.goal import Goal, lookup, number
from luthier.core.state import ExperimentState
from luthier.core.terms import Status, TrialId
from luthier.server.tables import runs, sweeps
from luthier.server.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from luthier.core.state import TrialState
    from luthier.server.hosted import Hosted
    from luthier.store.base import Record

STATES = {
    Status.PENDING: "waiting",
    Status.RUNNING: "running",
    Status.HALTING: "stopping",
    Status.EXITED: "running",
    Status.PAUSED: "paused",
    Status.DONE: "finished",
    Status.STOPPED: "stopped",
    Status.FAILED: "failed",
}
DELETED = "deleted"  # by a user: the run is over, and no longer shown
FAILED = "FAILED"  # a policy raised, twice on the same stimulus
ENDED = ("FINISHED", "CANCELED", FAILED)  # states of a sweep in which nothing more happens
_UPDATE = sa.update(runs).where(runs.c.id == sa.bindparam("run"))


class Told(msgspec.Struct):
    """A sweep or an experiment, as far as its events tell: what :func:`fold` needs to know of it.

    Attributes:
        sweep: its id.
        project: the id of its project.
        state: what the events led to.
        goals: what is optimised.
    """

    sweep: str
    project: int
    state: ExperimentState
    goals: tuple[Goal, ...]


def fold(connection: Connection, told: Told, records: Iterable[Record]) -> None:
    """Write the runs that *records* are about as they stand after them."""
    trials, born = told.state.trials, []
    changes: dict[TrialId, dict[str, Any]] = {}
    for record in records:
        for event in record.events:
            trial = getattr(event, "trial", None)
            if trial is None:
                continue
            found = trials[trial]
            change = changes.setdefault(trial, {})
            match event:
                case ev.Proposed():
                    born.append(_row(told, found, event, record.at))
                case ev.Launched():
                    change.update(agent_id=event.worker, rows=0, lines=0, exit_code=None, error="", reason="", why=None)
                    change.update(ended_at=None, config=text(event.config))
                    if event.restore is None:
                        change["summary"] = "{}"
                    change.setdefault("started_at", sa.func.coalesce(runs.c.started_at, record.at))
                case ev.Halted() | ev.Requeued() | ev.Ended():
                    change.update(_reasons(event, found))
                    if isinstance(event, ev.Ended):
                        change["ended_at"] = record.at
                case ev.Exited() if event.error:
                    change["error"] = event.error
    if born:
        connection.execute(sa.insert(runs), born)
    for trial, change in changes.items():
        found = trials[trial]
        change.update(state=_unless_deleted(STATES[found.status]), attempt=found.attempt, value=_value(told, found))
        connection.execute(_UPDATE.values(**change), {"run": trial})


def write_sweep(connection: Connection, hosted: Hosted, now: float) -> bool:
    """Write how the sweep stands; return whether it has just come to its end."""
    experiment = hosted.engine.experiment
    best, goals = hosted.best, hosted.plan.goals
    before = connection.execute(sa.select(sweeps.c.state).where(sweeps.c.id == hosted.id)).scalar_one()
    state = state_of(hosted)
    if before == FAILED:
        state = before
    ended = state in ENDED
    connection.execute(
        sa.update(sweeps)
        .where(sweeps.c.id == hosted.id)
        .values(
            state=state,
            length=hosted.length,
            updated_at=now,
            ended_at=(sa.func.coalesce(sweeps.c.ended_at, now) if ended else None),
            expected=len(experiment) if ended else _expected(hosted),
            best_run=None if best is None else best[1],
            best_value=None if best is None or not goals else (-best[0] if goals[0].mode == "max" else best[0]),
        )
    )
    return ended and before not in ENDED


def state_of(hosted: Hosted) -> str:
    """Return the state of a sweep: PENDING, RUNNING, PAUSED, FINISHED or CANCELED."""
    if hosted.engine.finished:
        return "CANCELED" if hosted.wanted == "CANCELED" else "FINISHED"
    if hosted.wanted == "PAUSED":
        return "PAUSED"
    return "RUNNING" if hosted.engine.experiment.trials or hosted.offers else "PENDING"


def _unless_deleted(state: str) -> sa.ColumnElement[str]:
    return sa.case((runs.c.state == DELETED, DELETED), else_=state)


def _expected(hosted: Hosted) -> int | None:
    experiment, planned = hosted.engine.experiment, hosted.plan.expected
    return planned if experiment.num_trials == hosted.plan.limits.num_trials else experiment.num_trials


def _row(told: Told, trial: TrialState, event: ev.Proposed, now: float) -> dict[str, Any]:
    return {
        "id": trial.id,
        "sweep_id": told.sweep,
        "project_id": told.project,
        "number": trial.number,
        "name": trial.label.name,
        "state": STATES[Status.PENDING],
        "config": text(event.config),
        "created_at": now,
    }


def _reasons(event: ev.Halted | ev.Requeued | ev.Ended, trial: TrialState) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if event.reason:
        failed = isinstance(event, ev.Ended) and event.status is Status.FAILED
        found["error" if failed else "reason"] = event.reason
    if event.why is not None:
        found["why"] = text(event.why)
    if isinstance(event, ev.Requeued):
        found["config"] = text(event.config)
        found["reason"] = event.reason or trial.reason
    return found


def _value(told: Told, trial: TrialState) -> float | None:
    if not told.goals:
        return None
    found = number(lookup(trial.metrics, told.goals[0].metric))
    return found if found is not None and found - found == 0.0 else None  # NULL sorts last, wherever it is written
