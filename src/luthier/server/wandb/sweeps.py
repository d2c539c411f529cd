"""Sweeps as W&B's client makes, reads and steers them."""

from __future__ import annotations

import datetime as dt
import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from fastapi import HTTPException

from luthier.core.errors import BadSweep
from luthier.server import sweeping
from luthier.server.auth.caller import Role
from luthier.server.tables import projects, runs, sweeps
from luthier.server.texts import value
from luthier.server.wandb import controllers
from luthier.server.wandb.asked import Asked, Refused
from luthier.server.wandb.naming import name_of
from luthier.server.wandb.sampling import sampled, wishes
from luthier.server.wandb.states import word
from luthier.server.wandb.values import dumped, mapping, strict, wrapped
from luthier.sweeps.document import opened
from luthier.sweeps.read import read
from luthier.sweeps.written import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from luthier.sweeps.spec import SweepSpec

QUICK = "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL=1"  # a client tells its rows every 15 s unless told otherwise


_LINE = re.compile(r"^line \d+: ")


class UpsertSweep(msgspec.Struct, rename="camel"):
    """A sweep to make, or to bring to another state."""

    id: str | None = None
    config: str | None = None
    description: str | None = None
    project_name: str | None = None
    state: str | None = None
    display_name: str | None = None
    controller: str | None = None
    prior_runs_filters: str | None = None


class OneSweep(msgspec.Struct, rename="camel"):
    """Which sweep is asked for; without a project it is looked for in all."""

    sweep: str | None = None
    name: str | None = None
    project: str | None = None
    specs: str | list[str] | None = None

    @property
    def called(self) -> str:
        """Its id."""
        return self.sweep or self.name or ""


class State(msgspec.Struct):
    """The state that a sweep is to come to."""

    id: str
    state: str


def sweep_of(
    asked: Asked, connection: Connection, sweep: str, project: str | None = None, role: Role = Role.READ
) -> Any:
    """Return the row of *sweep*, with the name of its project.

    Raises:
        HTTPException: 404 where it is not, or is another's.
    """
    query = (
        sa.select(sweeps, projects.c.name.label("project"))
        .join(projects, projects.c.id == sweeps.c.project_id)
        .where(sweeps.c.id == sweep)
    )
    row = connection.execute(query).one_or_none()
    if row is None or (project and row.project != project and asked.caller.project_id is not None):
        raise HTTPException(404, "Not Found")
    asked.allow(row.project_id, role)
    return row


def upsert(asked: Asked, told: UpsertSweep) -> dict[str, Any]:
    """Make a sweep, or change one's state."""
    if told.id is None:
        return _created(asked, told)
    if told.state is not None:
        steer(asked, State(told.id, told.state))
    with asked.reading() as connection:
        row = sweep_of(asked, connection, told.id, role=Role.WRITE)
    known = [opened(text).value for text in (row.config, _for_agents(row.config, read(row.config)))]
    if told.state is None and told.config is not None and opened(told.config).value not in known:
        raise Refused("what a sweep searches cannot be changed once it is there: make another one")
    if told.controller is not None and row.controller is not None:
        wish, roster, now = mapping(told.controller), asked.service.roster, time.time()
        asked.write(lambda c: controllers.drive(c, roster, row.id, wish, now, asked.by), row.id)
    return {"upsertSweep": {"sweep": _made(asked, row.id, row.project_id, row.project), "configValidationWarnings": []}}


def _created(asked: Asked, told: UpsertSweep) -> dict[str, Any]:
    now, roster = time.time(), asked.service.roster
    try:
        spec = read(told.config or "")
    except BadSweep as error:  # without lines: the client has written anew what its user wrote
        raise Refused(str(BadSweep(wrong._replace(line=None) for wrong in error.violations))) from error
    warnings = [_LINE.sub("", warning) for warning in spec.warnings]
    if mapping(told.prior_runs_filters):
        warnings.append("runs of before are not taken into the sweep")

    def work(connection: Connection) -> tuple[str, int, str]:
        place = asked.made_project(connection, told.project_name or spec.project, now)
        name: str = connection.execute(sa.select(projects.c.name).where(projects.c.id == place)).scalar_one()
        given = opened(spec.text).value  # of the client's: with an engine, it is the client that searches
        engine = isinstance(given.get("scheduler"), dict) and "engine" in given["scheduler"]
        driven = (spec.local or engine) and "tune" not in given
        wish = controllers.begun() if driven else None
        sweep = sweeping.create(connection, roster, spec, name, told.display_name, now, wish)
        asked.note(connection, "sweep.create", sweep, {"project": name})
        return sweep, place, name

    made = _made(asked, *asked.write(work))
    return {"upsertSweep": {"sweep": made, "configValidationWarnings": warnings}}


def steer(asked: Asked, told: State) -> dict[str, Any]:
    """Bring a sweep to another state."""
    now, roster = time.time(), asked.service.roster
    with asked.reading() as connection:
        sweep = sweep_of(asked, connection, told.id, role=Role.WRITE).id

    def work(connection: Connection) -> None:
        sweeping.change_state(connection, roster, sweep, told.state.upper(), now, asked.by)
        asked.note(connection, "sweep.change", sweep, {"state": told.state})

    asked.write(work, sweep)
    return {"upsertSweep": {"sweep": {"id": sweep, "name": sweep, "state": told.state.upper()}}}


def with_runs(asked: Asked, told: OneSweep) -> dict[str, Any]:
    """Tell of a sweep and its runs."""
    specs = wishes([told.specs] if isinstance(told.specs, str) else told.specs or [])
    with asked.reading() as connection:
        row = sweep_of(asked, connection, told.called, told.project)
        query = sa.select(runs).where(runs.c.sweep_id == row.id, runs.c.state != "deleted").order_by(runs.c.number)
        nodes = [{"node": _run(connection, run, specs)} for run in connection.execute(query).all()]
    return {"project": {"sweep": {**of_row(row), "runs": {"edges": nodes}}}}


def state(asked: Asked, told: OneSweep) -> dict[str, Any]:
    """Tell a sweep's state, and what else is known of it without its runs."""
    with asked.reading() as connection:
        row = sweep_of(asked, connection, told.called, told.project)
        counted = sa.select(sa.func.count()).where(runs.c.sweep_id == row.id, runs.c.state != "deleted")
        count = connection.execute(counted).scalar_one()
    return {"project": {"sweep": {**of_row(row), "runCount": count}}}


def of_row(row: Any) -> dict[str, Any]:
    """Return a sweep as GraphQL has it."""
    spec = read(row.config)
    updated, controller = moment(row.updated_at), controllers.kept_of(row)
    return {
        "__typename": "Sweep",
        "id": row.id,
        "name": row.id,
        "displayName": row.name,
        "method": spec.search.name,
        "state": row.state,
        "description": row.description,
        "config": _for_agents(row.config, spec),
        "createdAt": moment(row.created_at),
        "heartbeatAt": updated,
        "updatedAt": updated,
        "earlyStopJobRunning": False,
        "bestLoss": strict(row.best_value),
        "controller": dumped(controller["wish"]),
        "scheduler": dumped({"scheduled": controller["scheduled"]}),
        "runCountExpected": row.expected,
        "controllerRunName": f"{row.id}-scheduler",
    }


def quick(command: Sequence[str]) -> list[str]:
    """Return *command* such that a client tells its rows at once, where there is a place to say so.

    >>> quick(["${env}", "python", "t.py"])
    ['${env}', 'WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL=1', 'python', 't.py']
    """
    found = list(command)
    if "${env}" in found and not any(item.startswith(QUICK.partition("=")[0]) for item in found):
        found.insert(found.index("${env}") + 1, QUICK)
    return found


def moment(at: float | None) -> str | None:
    """Return *at* as W&B writes times.

    >>> moment(0.0)
    '1970-01-01T00:00:00Z'
    """
    return None if at is None else dt.datetime.fromtimestamp(int(at), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _for_agents(config: str, spec: SweepSpec) -> str:
    """Return *config* with the command that W&B's agents are to run, and the metric where its client looks for it."""
    judged = spec.scheduler is not None or spec.stop or spec.target is not None
    found = dict(opened(config).value)
    found["command"] = quick(spec.command) if judged else list(spec.command)
    if spec.goals and "metric" not in found:
        goal = spec.goals[0]
        found["metric"] = {"name": goal.metric, "goal": "maximize" if goal.mode == "max" else "minimize"}
    return written(found).text


def _made(asked: Asked, sweep: str, project_id: int, project: str) -> dict[str, Any]:
    entity = {"id": asked.desk.entity, "name": asked.desk.entity}
    return {"id": sweep, "name": sweep, "project": {"id": str(project_id), "name": project, "entity": entity}}


def _run(connection: Connection, run: Any, specs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    said = word(run.state)
    wanted = [spec for spec in specs if isinstance(spec.get("keys"), list)]
    curves = [sampled(connection, run, [str(key) for key in s["keys"]], _count(s.get("samples"))) for s in wanted]
    return {
        "name": name_of(run),
        "state": said,
        "config": dumped(wrapped(value(run.config))),
        "exitcode": run.exit_code,
        "heartbeatAt": moment(run.heartbeat_at),
        "shouldStop": run.state == "stopping",
        "failed": said in {"failed", "crashed"},
        "stopped": said == "killed",
        "running": said == "running",
        "summaryMetrics": dumped(value(run.summary)),
        "sampledHistory": strict(curves),
    }


def _count(given: object) -> int:
    return given if isinstance(given, int) else 500
