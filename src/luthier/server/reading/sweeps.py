"""Sweeps: lists of them, and one with its agents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.missing import NotThere
from luthier.server.reading.plain import leaves
from luthier.server.reading.shapes import Agent, RunLink, Sweep, SweepLine
from luthier.server.tables import agents, projects, runs, sweeps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST = 500
_HELD = ("running", "stopping")
_AGENTS = 500  # shown; those that are here first, then those seen last


def list_sweeps(
    connection: sa.Connection,
    project: str | None = None,
    only: Collection[int] | None = None,
    offset: int = 0,
    limit: int = 100,
) -> list[SweepLine]:
    """Return sweeps, the newest first.

    Args:
        connection: to the server's database.
        project: name of the project whose sweeps are wanted; all where None.
        only: the ids of the projects that may be seen; all where None.
        offset: how many to pass over.
        limit: how many to return at most.
    """
    query = _lines().order_by(sweeps.c.created_at.desc(), sweeps.c.id).offset(offset).limit(min(limit, MOST))
    if project is not None:
        query = query.where(projects.c.name == project)
    if only is not None:
        query = query.where(projects.c.id.in_(list(only)))
    rows = connection.execute(query).all()
    counts = _counts(connection, [row.id for row in rows])
    return [SweepLine(**_line(row, counts.get(row.id, {}))) for row in rows]


def read_sweep(connection: sa.Connection, sweep: str) -> Sweep:
    """Return the sweep of the id *sweep*.

    Raises:
        NotThere: there is none.
    """
    row = connection.execute(
        _lines(sweeps.c.description, sweeps.c.config, sweeps.c.seed).where(sweeps.c.id == sweep)
    ).first()
    if row is None:
        raise NotThere("sweep", sweep)
    config = None
    if row.best_run is not None:
        text = connection.scalar(sa.select(runs.c.config).where(runs.c.id == row.best_run))
        config = None if text is None else leaves(text)
    return Sweep(
        **_line(row, _counts(connection, [sweep]).get(sweep, {})),
        description=row.description,
        config=row.config,
        seed=row.seed,
        agents=read_agents(connection, sweep),
        best_config=config,
    )


def read_agents(connection: sa.Connection, sweep: str) -> list[Agent]:
    """Return the agents of *sweep* with what each is doing, those that are here first."""
    held: dict[str, list[RunLink]] = {}
    doing = sa.select(runs.c.id, runs.c.name, runs.c.number, runs.c.state, runs.c.agent_id)
    for row in connection.execute(
        doing.where(runs.c.sweep_id == sweep, runs.c.state.in_(_HELD)).order_by(runs.c.number)
    ):
        link = RunLink(id=row.id, name=row.name, number=row.number, state=row.state)
        held.setdefault(row.agent_id or "", []).append(link)
    here = sa.case((agents.c.state == "here", 0), else_=1)
    # a row has a method `count` of its own
    query = sa.select(agents, agents.c["count"].label("most")).where(agents.c.sweep_id == sweep)
    return [
        Agent(
            id=row.id,
            name=row.name,
            host=row.host,
            pid=row.pid,
            state=row.state,
            resources=leaves(row.resources),
            launched=row.launched,
            count=row.most,
            joined_at=row.joined_at,
            heartbeat_at=row.heartbeat_at,
            ended_at=row.ended_at,
            runs=held.get(row.id, []) if row.state == "here" else [],
        )
        for row in connection.execute(query.order_by(here, agents.c.heartbeat_at.desc()).limit(_AGENTS))
    ]


def _lines(*further: sa.ColumnElement[Any]) -> sa.Select[Any]:
    best = runs.alias("best")
    of_best = [best.c.name.label("best_name"), best.c.number.label("best_number"), best.c.state.label("best_state")]
    own = [column for column in sweeps.c if column.name not in {"description", "config", "seed", "project_id"}]
    return (
        sa.select(*own, projects.c.name.label("project"), *of_best, *further)
        .join(projects, projects.c.id == sweeps.c.project_id)
        .outerjoin(best, best.c.id == sweeps.c.best_run)
    )


def _counts(connection: sa.Connection, ids: Iterable[str]) -> dict[str, dict[str, int]]:
    query = (
        sa.select(runs.c.sweep_id, runs.c.state, sa.func.count().label("there"))
        .where(runs.c.sweep_id.in_(list(ids)))
        .group_by(runs.c.sweep_id, runs.c.state)
    )
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.sweep_id, {})[row.state] = row.there
    return found


def _line(row: sa.Row[Any], counts: dict[str, int]) -> dict[str, Any]:
    best = None
    if row.best_run is not None and row.best_name is not None:
        best = RunLink(id=row.best_run, name=row.best_name, number=row.best_number, state=row.best_state)
    value = row.best_value
    return {
        "id": row.id,
        "project": row.project,
        "kind": row.kind,
        "name": row.name,
        "state": row.state,
        "wanted": row.wanted,
        "reason": row.reason,
        "metric": row.metric,
        "mode": row.mode,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "ended_at": row.ended_at,
        "length": row.length,
        "expected": row.expected,
        "counts": counts,
        "runs": sum(count for state, count in counts.items() if state != "deleted"),
        "best_value": value if value is not None and math.isfinite(value) else None,
        "best_run": best,
    }
