"""``GET /projects`` and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.requests import Request
from fastapi.responses import Response, StreamingResponse

from luthier.server.reading.projects import list_projects, read_project
from luthier.server.reading.shapes import Project, SweepLine
from luthier.server.reading.sweeps import MOST, list_sweeps
from luthier.server.routes.reading.answering import ANSWERS, EVENTS, Answering
from luthier.server.routes.reading.files import streamed

if TYPE_CHECKING:
    from luthier.server.reading.pulse import Pulse
    from luthier.server.reading.sight import Sight

Offset = Annotated[int, Query(ge=0, le=10**9)]


def router(sight: Sight, pulse: Pulse) -> APIRouter:
    """Return the routes of projects and of lists of sweeps."""
    routes = APIRouter(route_class=Answering, tags=["reading"])

    @routes.get("/projects", operation_id="list_projects")
    def projects(request: Request) -> list[Project]:
        """All projects, the one where something happened last first."""
        with sight.database.connect() as connection:
            return list_projects(connection, sight.visible(request))

    @routes.get("/projects/{project:path}", operation_id="read_project", responses=ANSWERS)
    def one(request: Request, project: str) -> Project:
        """One project."""
        sight.project(request, project)
        with sight.database.connect() as connection:
            return read_project(connection, project)

    @routes.get("/sweeps", operation_id="list_sweeps", responses=ANSWERS)
    def sweeps(
        request: Request,
        project: str | None = None,
        offset: Offset = 0,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> list[SweepLine]:
        """Sweeps, the newest first; those of one project, if it is named."""
        if project is not None:
            sight.project(request, project)
        with sight.database.connect() as connection:
            return list_sweeps(connection, project, sight.visible(request), offset, limit)

    @routes.get("/stream", operation_id="stream_all", responses=EVENTS, response_class=Response)
    def stream(request: Request) -> StreamingResponse:
        """Whether anything has changed in any sweep, as server-sent events ``now`` and ``change``."""
        return streamed(pulse.listing(sight.visible(request)))

    return routes
