"""Projects, and the sweeps in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from luthier.server.missing import NotThere
from luthier.server.reading.shapes import Project
from luthier.server.tables import projects, runs, sweeps

if TYPE_CHECKING:
    from collections.abc import Collection


def list_projects(connection: sa.Connection, only: Collection[int] | None = None) -> list[Project]:
    """Return all projects, the one where something happened last first.

    Args:
        connection: to the server's database.
        only: the ids of those that may be seen; all where None.
    """
    found = _projects(connection, None if only is None else projects.c.id.in_(list(only)))
    return sorted(found, key=lambda project: -(project.updated_at or project.created_at))


def read_project(connection: sa.Connection, name: str) -> Project:
    """Return the project *name*.

    Raises:
        NotThere: there is none.
    """
    found = _projects(connection, projects.c.name == name)
    if not found:
        raise NotThere("project", name)
    return found[0]


def project_id(connection: sa.Connection, name: str) -> int:
    """Return the id of the project *name*.

    Raises:
        NotThere: there is none.
    """
    found = connection.scalar(sa.select(projects.c.id).where(projects.c.name == name))
    if found is None:
        raise NotThere("project", name)
    return int(found)


def _projects(connection: sa.Connection, where: sa.ColumnElement[bool] | None) -> list[Project]:
    of_sweeps = (
        sa.select(
            sweeps.c.project_id,
            sa.func.count().label("sweeps"),
            sa.func.sum(sa.case((sweeps.c.state == "RUNNING", 1), else_=0)).label("running"),
            sa.func.max(sweeps.c.updated_at).label("updated_at"),
        )
        .group_by(sweeps.c.project_id)
        .subquery()
    )
    of_runs = (
        sa.select(runs.c.project_id, sa.func.count().label("runs"), sa.func.max(runs.c.created_at).label("at"))
        .where(runs.c.state != "deleted")
        .group_by(runs.c.project_id)
        .subquery()
    )
    query = (
        sa.select(
            projects, of_sweeps.c.sweeps, of_sweeps.c.running, of_sweeps.c.updated_at, of_runs.c.runs, of_runs.c.at
        )
        .outerjoin(of_sweeps, of_sweeps.c.project_id == projects.c.id)
        .outerjoin(of_runs, of_runs.c.project_id == projects.c.id)
        .order_by(projects.c.id)
    )
    if where is not None:
        query = query.where(where)
    return [
        Project(
            name=row.name,
            description=row.description,
            created_at=row.created_at,
            updated_at=max((at for at in (row.updated_at, row.at) if at is not None), default=None),
            sweeps=row.sweeps or 0,
            running=row.running or 0,
            runs=row.runs or 0,
        )
        for row in connection.execute(query)
    ]
