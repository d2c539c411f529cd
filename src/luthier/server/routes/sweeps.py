"""``/api/v1/sweeps``: making and steering sweeps and their runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, Field

from luthier.server import sweeping
from luthier.sweeps.read import read

if TYPE_CHECKING:
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


def who(request: Request) -> str:
    """Return who asks, by the name of the key."""
    return getattr(request.state, "who", None) or "a user"


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1", tags=["sweeps"])

    @routes.post("/sweeps", status_code=201, summary="Make a sweep")
    async def create(wish: Annotated[Wish, Body()], request: Request) -> Made:
        spec = read(wish.config)
        project = wish.project or spec.project or sweeping.UNSORTED
        sweep = await service.write(lambda c: sweeping.create(c, service.roster, spec, project, wish.name, time.time()))
        url = f"{str(request.base_url).rstrip('/')}/sweeps/{sweep}"
        return Made(sweep=sweep, project=project, url=url, warnings=list(spec.warnings))

    @routes.patch("/sweeps/{sweep}", status_code=204, summary="Let a sweep go on, pause, end or be cancelled")
    async def change(sweep: str, state: Annotated[State, Body()], request: Request) -> Response:
        by = who(request)
        await service.write(
            lambda c: sweeping.change_state(c, service.roster, sweep, state.state, time.time(), by), sweep
        )
        return Response(status_code=204)

    @routes.delete("/sweeps/{sweep}", status_code=204, summary="Delete a sweep and all that it produced")
    async def delete(sweep: str) -> Response:
        await service.write(lambda c: sweeping.delete(c, service.roster, sweep), sweep)
        return Response(status_code=204)

    @routes.post("/runs/{run}/stop", status_code=204, summary="End a run early")
    async def stop(run: str, request: Request) -> Response:
        by = who(request)
        await service.write(lambda c: sweeping.stop_run(c, service.roster, run, time.time(), by))
        return Response(status_code=204)

    @routes.post("/runs/{run}/rerun", status_code=204, summary="Try a run that has ended once more")
    async def rerun(run: str, request: Request) -> Response:
        by = who(request)
        await service.write(lambda c: sweeping.rerun(c, service.roster, run, time.time(), by))
        return Response(status_code=204)

    @routes.delete("/runs/{run}", status_code=204, summary="Delete a run; another one takes its place")
    async def delete_run(run: str, request: Request) -> Response:
        by = who(request)
        await service.write(lambda c: sweeping.delete_run(c, service.roster, run, time.time(), by))
        return Response(status_code=204)

    return routes
