"""Projects and their sweeps, as ``wandb.Api()`` reads them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.server.tables import projects, runs, sweeps
from luthier.server.wandb.sweeps import moment, of_row
from luthier.server.wandb.values import place_of

if TYPE_CHECKING:
    from luthier.server.wandb.asked import Asked


class Named(msgspec.Struct, rename="camel"):
    """A project, or a page of what is in it."""

    name: str | None = None
    project: str | None = None
    cursor: str | None = None
    per_page: int = 50


class Model(msgspec.Struct, rename="camel"):
    """A project to make."""

    name: str


class CreateProject(msgspec.Struct):
    """The same, as it is sent."""

    input: Model


def project(asked: Asked, told: Named) -> dict[str, Any]:
    """Tell of one project."""
    name = told.name or told.project
    with asked.reading() as connection:
        place = asked.project(connection, name)
        row = connection.execute(sa.select(projects).where(projects.c.id == place)).one()
    return {"project": _of(asked, row)}


def every(asked: Asked, told: Named) -> dict[str, Any]:
    """Tell of the projects that the key sees."""
    query = sa.select(projects).order_by(projects.c.created_at.desc(), projects.c.id)
    if asked.caller.project_id is not None:
        query = query.where(projects.c.id == asked.caller.project_id)
    with asked.reading() as connection:
        rows = connection.execute(query).all()
    return {"models": _page(rows, told, lambda row: _of(asked, row))}


def create(asked: Asked, told: CreateProject) -> dict[str, Any]:
    """Make a project."""
    name = told.input.name
    place = asked.write(lambda c: asked.made_project(c, name, time.time()))
    found = {"id": str(place), "name": name, "entityName": asked.desk.entity, "description": "", "access": None}
    return {"result": {"project": {**found, "views": None}, "model": {**found, "views": None}, "inserted": True}}


def every_sweep(asked: Asked, told: Named) -> dict[str, Any]:
    """Tell of the sweeps of a project."""
    with asked.reading() as connection:
        place = asked.project(connection, told.project)
        query = sa.select(sweeps).where(sweeps.c.project_id == place, sweeps.c.kind == "sweep")
        rows = connection.execute(query.order_by(sweeps.c.created_at.desc(), sweeps.c.id)).all()
        counted = sa.select(runs.c.sweep_id, sa.func.count().label("there")).where(runs.c.project_id == place)
        counts = {row.sweep_id: row.there for row in connection.execute(counted.group_by(runs.c.sweep_id))}
    page = _page(rows, told, lambda row: {**of_row(row), "runCount": counts.get(row.id, 0)})
    return {"project": {"totalSweeps": len(rows), "sweeps": page}}


def _page(rows: Any, told: Named, node: Any) -> dict[str, Any]:
    first = place_of(told.cursor)
    shown = rows[first : first + min(max(told.per_page, 1), 1000)]
    end = first + len(shown)
    page = {"__typename": "PageInfo", "endCursor": str(end), "hasNextPage": end < len(rows)}
    edges = [{"node": node(row), "cursor": str(first + i + 1)} for i, row in enumerate(shown)]
    return {"edges": edges, "pageInfo": page}


def _of(asked: Asked, row: Any) -> dict[str, Any]:
    return {
        "__typename": "Project",
        "id": str(row.id),
        "name": row.name,
        "entityName": asked.desk.entity,
        "createdAt": moment(row.created_at),
        "isBenchmark": False,
        "readOnly": False,
        "user": None,
    }
