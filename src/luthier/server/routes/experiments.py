"""``/api/v1/experiments``: a Tuner sends its log here, so that its trials stand beside the runs of sweeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Body, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from luthier.core.goal import Goal
from luthier.server import sweeping
from luthier.server.auth.caller import Role
from luthier.server.auth.gate import NOBODYS
from luthier.server.database import reading
from luthier.server.experiments import Experiments
from luthier.server.tables import projects

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luthier.server.auth.gate import Gate
    from luthier.server.service import Service


class Wanted(BaseModel):
    """An experiment that is to be sent."""

    name: str = ""
    project: str | None = None
    metric: str | None = None
    mode: str | None = Field(None, description="min or max")
    config: str = Field("", description="the search space, in words")


class Begun(BaseModel):
    """Where it goes."""

    experiment: str
    project: str
    url: str


class Part(BaseModel):
    """A part of its log."""

    lines: list[str] = Field(description="lines of the log, in order, as they are in its files")
    state: str = Field("RUNNING", description="RUNNING, PAUSED, FINISHED or FAILED")
    expected: int | None = Field(None, description="how many trials there will be", ge=0, lt=2**62)


class Length(BaseModel):
    """How much of it is here."""

    length: int = Field(description="events; the next line is to begin there")


def router(service: Service, gate: Gate) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1/experiments", tags=["experiments"])
    experiments = Experiments()

    @routes.post("", status_code=201, summary="Begin to send an experiment")
    async def begin(wanted: Annotated[Wanted, Body()], request: Request) -> Begun:
        mine = gate.caller(request).project_id
        home = await run_in_threadpool(project_for, service.engine, mine)
        project = wanted.project or home
        if mine is not None:
            gate.allow(request, await run_in_threadpool(project_of, service.engine, project), Role.WRITE)
        goal = None if wanted.metric is None else Goal(wanted.metric, wanted.mode or "min")

        def work(connection: Connection) -> str:
            made = experiments.create(connection, wanted.name, project, goal, wanted.config, time.time())
            gate.note(connection, request, "experiment.create", made, {"project": project})
            return made

        made = await service.write(work)
        return Begun(experiment=made, project=project, url=f"{str(request.base_url).rstrip('/')}/sweeps/{made}")

    @routes.post("/{sweep}/records", summary="Send a part of its log")
    async def send(sweep: str, part: Annotated[Part, Body()]) -> Length:
        lines = [line.encode() for line in part.lines]
        length = await service.write(
            lambda c: experiments.take(c, sweep, lines, time.time(), part.state, part.expected), sweep
        )
        return Length(length=length)

    return routes


def project_for(engine: sa.Engine, mine: int | None) -> str:
    """Return where belongs what names no project: to *mine*, the only one that its maker's key is for, if so."""
    if mine is None:
        return sweeping.UNSORTED
    with reading(engine) as connection:
        name: str = connection.execute(sa.select(projects.c.name).where(projects.c.id == mine)).scalar_one()
    return name


def project_of(engine: sa.Engine, name: str) -> int:
    """Return the id of the project of that name; one that nobody has where there is none."""
    with reading(engine) as connection:
        found = connection.execute(sa.select(projects.c.id).where(projects.c.name == name)).scalar()
    return NOBODYS if found is None else int(found)
