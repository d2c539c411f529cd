"""Views: the rows of ``runs`` and ``sweeps`` as the log leaves them, written in the same transaction."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.goal import Goal, lookup, number
from luthier.core.state import ExperimentState
from luthier.core.terms import Status
from luthier.server.tables import runs, sweeps
from luthier.server.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def word(status: Status, *, in_full: bool) -> str:
    """Return the state of a run; one that its scheduler has ended since it had all its time is finished.

    >>> word(Status.STOPPED, in_full=False), word(Status.STOPPED, in_full=True)
    ('stopped', 'finished')
    """
    return STATES[Status.DONE if in_full else status]


class About(msgspec.Struct):
    """What events are about: a sweep or an experiment.

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


def fold(
    connection: Connection,
    about: About,
    records: Iterable[Record],
    told: Mapping[str, dict[str, Any]] = MappingProxyType({}),
) -> None:
    """Write the runs that *records* are about as they stand after them, and what agents *told* of runs, by id."""
    trials, born = about.state.trials, []
    changes: dict[str, dict[str, Any]] = {**told}  # before what was decided: that a run begins anew, perhaps
    decided = set()
    for record in records:
        for event in record.events:
            trial = getattr(event, "trial", None)
            if trial is None:
                continue
            found = trials[trial]
            decided.add(trial)
            if isinstance(event, ev.Proposed):
                born.append(_row(about, found, event, record.at))
            _note(changes.setdefault(trial, {}), event, found, record.at)
    if born:
        connection.execute(_INSERT, born)
    for trial in decided:
        found = trials[trial]
        changes[trial].update(
            state=word(found.status, in_full=found.in_full), attempt=found.attempt, value=_value(about, found)
        )
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for run, change in sorted(changes.items()):
        row = {f"new_{column}": new for column, new in change.items()}
        alike.setdefault(tuple(sorted(change)), []).append({"run": run, **row})
    for columns, rows in alike.items():
        connection.execute(_update(columns), rows)


def _note(change: dict[str, Any], event: Any, trial: TrialState, at: float) -> None:
    """Add to the *change* of a run's row what *event* means for it."""
    match event:
        case ev.Launched():
            change.update(agent_id=event.worker, rows=0, lines=0, exit_code=None, error="", reason="", why=None)
            change.update(ended_at=None, config=text(event.config))
            change.setdefault("started_at", at)  # unless it has one
            if event.restore is None:
                change["summary"] = "{}"
        case ev.Halted() | ev.Requeued() | ev.Ended():
            change.update(_reasons(event, trial))
            if isinstance(event, ev.Ended):
                change["ended_at"] = at
        case ev.Exited() if event.error:
            change["error"] = event.error


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
    if before == FAILED:
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
    if hosted.finished:
        return "CANCELED" if hosted.wanted == "CANCELED" else "FINISHED"
    if hosted.wanted == "PAUSED":
        return "PAUSED"
    return "RUNNING" if hosted.engine.experiment.trials or hosted.offers else "PENDING"


def _expected(hosted: Hosted) -> int | None:
    experiment, planned = hosted.engine.experiment, hosted.plan.expected
    return planned if experiment.num_trials == hosted.plan.limits.num_trials else experiment.num_trials


def _row(about: About, trial: TrialState, event: ev.Proposed, now: float) -> dict[str, Any]:
    return {
        "id": trial.id,
        "sweep_id": about.sweep,
        "project_id": about.project,
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


def _value(about: About, trial: TrialState) -> float | None:
    if not about.goals:
        return None
    found = number(lookup(trial.metrics, about.goals[0].metric))
    return found if found is not None and found - found == 0.0 else None  # NULL sorts last, wherever it is written
