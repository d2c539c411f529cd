"""``/api/v1/sweeps``: making and steering sweeps and their runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from luthier.server import sweeping
from luthier.server.routes.experiments import project_wanted
from luthier.sweeps.read import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from luthier.server.auth.gate import Gate
    from luthier.server.service import Service


class Wish(BaseModel):
    """A sweep to make."""

    config: str | dict[str, Any] = Field(description="YAML, or the same as an object")
    project: str | None = None
    name: str | None = None


class Made(BaseModel):
    """A sweep that was made."""

    sweep: str
    project: str
    url: str
    warnings: list[str]


class State(BaseModel):
    """The state that a sweep is to come to."""

    state: str = Field(description="RUNNING, PAUSED, FINISHED (its runs go on) or CANCELED (they do not)")


def router(service: Service, gate: Gate) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1", tags=["sweeps"])
    roster = service.roster

    def by(request: Request) -> str:
        return gate.caller(request).name

    @routes.post("/sweeps", status_code=201, summary="Make a sweep")
    async def create(wish: Annotated[Wish, Body()], request: Request) -> Made:
        spec = await run_in_threadpool(read, wish.config)
        project = await project_wanted(service, gate, request, wish.project or spec.project)

        def work(connection: Connection) -> str:
            made = sweeping.create(connection, roster, spec, project, wish.name, time.time())
            gate.note(connection, request, "sweep.create", made, {"project": project})
            return made

        sweep = await service.write(work)
        url = f"{str(request.base_url).rstrip('/')}/sweeps/{sweep}"
        return Made(sweep=sweep, project=project, url=url, warnings=list(spec.warnings))

    @routes.patch("/sweeps/{sweep}", status_code=204, summary="Let a sweep go on, pause, end or be cancelled")
    async def change(sweep: str, state: Annotated[State, Body()], request: Request) -> Response:
        def work(connection: Connection) -> None:
            sweeping.change_state(connection, roster, sweep, state.state, time.time(), by(request))
            gate.note(connection, request, "sweep.change", sweep, {"state": state.state})

        return await _done(service, work, sweep)

    @routes.delete("/sweeps/{sweep}", status_code=204, summary="Delete a sweep and all that it produced")
    async def delete(sweep: str, request: Request) -> Response:
        def work(connection: Connection) -> None:
            sweeping.delete(connection, roster, sweep)
            gate.note(connection, request, "sweep.delete", sweep)

        return await _done(service, work, sweep)

    @routes.post("/runs/{run}/stop", status_code=204, summary="End a run early")
    async def stop(run: str, request: Request) -> Response:
        def work(connection: Connection) -> None:
            sweeping.stop_run(connection, roster, run, time.time(), by(request))
            gate.note(connection, request, "run.stop", run)

        await service.change_run(run, work)
        return Response(status_code=204)

    @routes.post("/runs/{run}/rerun", status_code=204, summary="Try a run that has ended once more")
    async def rerun(run: str, request: Request) -> Response:
        def work(connection: Connection) -> None:
            sweeping.rerun(connection, roster, run, time.time(), by(request))
            gate.note(connection, request, "run.rerun", run)

        await service.change_run(run, work)
        return Response(status_code=204)

    @routes.delete("/runs/{run}", status_code=204, summary="Delete a run; another one takes its place")
    async def delete_run(run: str, request: Request) -> Response:
        def work(connection: Connection) -> None:
            sweeping.delete_run(connection, roster, run, time.time(), by(request))
            gate.note(connection, request, "run.delete", run)

        await service.change_run(run, work)
        return Response(status_code=204)

    return routes


async def _done(service: Service, work: Callable[[Connection], None], sweep: str) -> Response:
    await service.write(work, sweep)
    return Response(status_code=204)
