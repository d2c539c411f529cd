"""Views: the rows of ``runs`` and ``sweeps`` as the log leaves them, written in the same transaction."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.goal import lookup, number
from luthier.core.terms import Status, TrialId
from luthier.server.tables import runs, sweeps
from luthier.server.texts import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from luthier.core.state import TrialState
    from luthier.server.hosted import Hosted

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
ENDED = ("FINISHED", "CANCELED", "FAILED")  # states of a sweep in which nothing more happens
_INSERT = sa.insert(runs)
_WRITE = (
    sa.update(sweeps)
    .where(sweeps.c.id == sa.bindparam("sweep"))
    .values(
        state=sa.bindparam("new_state"),
        length=sa.bindparam("new_length"),
        updated_at=sa.bindparam("now"),
        ended_at=sa.case(
            (sa.bindparam("over", type_=sa.Boolean), sa.func.coalesce(sweeps.c.ended_at, sa.bindparam("now"))),
            else_=None,
        ),
        expected=sa.bindparam("new_expected"),
        best_run=sa.bindparam("new_run"),
        best_value=sa.bindparam("new_value"),
    )
)
_STATE = sa.select(sweeps.c.state).where(sweeps.c.id == sa.bindparam("sweep"))


def fold(
    connection: Connection, hosted: Hosted, events: Sequence[ev.Event], told: Mapping[str, dict[str, Any]], now: float
) -> None:
    """Write the runs that *events* are about as they stand now, and what agents *told* of runs, by their ids."""
    trials = hosted.engine.experiment.trials
    born = [event for event in events if isinstance(event, ev.Proposed)]
    if born:
        connection.execute(_INSERT, [_row(hosted, trials[event.trial], event, now) for event in born])
    changes: dict[str, dict[str, Any]] = {**told}  # before what was decided: that a run begins anew, perhaps
    decided = set()
    for event in events:
        trial = getattr(event, "trial", None)
        if trial is None:
            continue
        found = trials[trial]
        decided.add(trial)
        change = changes.setdefault(trial, {})
        if isinstance(event, ev.Launched):
            change.update(agent_id=event.worker, rows=0, lines=0, exit_code=None, error="", reason="", why=None)
            change.update(ended_at=None, config=text(event.config))
            change["started_at"] = now  # unless it has one
        elif isinstance(event, (ev.Halted, ev.Requeued, ev.Ended)):
            change.update(_reasons(event, found))
            if isinstance(event, ev.Ended):
                change["ended_at"] = now
        elif isinstance(event, ev.Exited) and event.error:
            change["error"] = event.error
    for trial in decided:
        found = trials[trial]
        changes[trial].update(state=STATES[found.status], attempt=found.attempt, value=_value(hosted, found))
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for run, change in sorted(changes.items()):
        row = {f"new_{column}": new for column, new in change.items()}
        alike.setdefault(tuple(sorted(change)), []).append({"run": run, **row})
    for columns, rows in alike.items():
        connection.execute(_update(columns), rows)


@functools.lru_cache(64)
def _update(columns: tuple[str, ...]) -> sa.Update:
    """Return the statement that changes *columns* of a run."""
    values: dict[str, Any] = {column: sa.bindparam(f"new_{column}") for column in columns}
    if "state" in values:
        values["state"] = sa.case((runs.c.state == DELETED, DELETED), else_=values["state"])
    if "started_at" in values:
        values["started_at"] = sa.func.coalesce(runs.c.started_at, values["started_at"])
    return sa.update(runs).where(runs.c.id == sa.bindparam("run")).values(values)


def write_sweep(connection: Connection, hosted: Hosted, now: float) -> bool:
    """Write how the sweep stands; return whether it has just come to its end."""
    experiment = hosted.engine.experiment
    best, goals = hosted.best, hosted.plan.goals
    before = connection.execute(_STATE, {"sweep": hosted.id}).scalar_one()
    state = state_of(hosted)
    if before == "FAILED":
        state = before
    ended = state in ENDED
    connection.execute(
        _WRITE,
        {
            "sweep": hosted.id,
            "new_state": state,
            "new_length": hosted.length,
            "now": now,
            "over": ended,
            "new_expected": len(experiment) if ended else _expected(hosted),
            "new_run": None if best is None else best[1],
            "new_value": None if best is None or not goals else (-best[0] if goals[0].mode == "max" else best[0]),
        },
    )
    hosted.state = state
    return ended and before not in ENDED


def state_of(hosted: Hosted) -> str:
    """Return the state of a sweep: PENDING, RUNNING, PAUSED, FINISHED or CANCELED."""
    if hosted.engine.finished:
        return "CANCELED" if hosted.wanted == "CANCELED" else "FINISHED"
    if hosted.wanted == "PAUSED":
        return "PAUSED"
    return "RUNNING" if hosted.engine.experiment.trials or hosted.offers else "PENDING"


def _expected(hosted: Hosted) -> int | None:
    experiment, planned = hosted.engine.experiment, hosted.plan.expected
    return planned if experiment.num_trials == hosted.plan.limits.num_trials else experiment.num_trials


def _row(hosted: Hosted, trial: TrialState, event: ev.Proposed, now: float) -> dict[str, Any]:
    return {
        "id": trial.id,
        "sweep_id": hosted.id,
        "project_id": hosted.project,
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


def _value(hosted: Hosted, trial: TrialState) -> float | None:
    if not hosted.plan.goals:
        return None
    found = number(lookup(trial.metrics, hosted.plan.goals[0].metric))
    return found if found is not None and found - found == 0.0 else None  # NULL sorts last, wherever it is written
