"""``/api/v1/runs/{run}/files``: what runs upload, and who fetches it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import BaseModel

from luthier.server.database import reading
from luthier.server.missing import NotThere
from luthier.server.shelf import Shelf, checked, keep
from luthier.server.tables import files, runs

if TYPE_CHECKING:
    from luthier.server.auth.gate import Gate
    from luthier.server.service import Service


class File(BaseModel):
    """A file that a run uploaded."""

    path: str
    size: int
    sha256: str
    at: float


def router(service: Service, _gate: Gate) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1/runs/{run}/files", tags=["files"])
    shelf = Shelf(service.files)
    service.watches.append(shelf.tidy)

    @routes.put("/{path:path}", summary="Upload a file; one of that path is replaced")
    async def put(run: str, path: str, request: Request) -> File:
        checked(path)
        await run_in_threadpool(_find_run, service, run)
        stored = await shelf.put(request.stream(), expected(request))
        now = time.time()
        await service.write(lambda c: keep(c, run, path, stored, now))
        return File(path=path, size=stored.size, sha256=stored.sha256, at=now)

    @routes.get("", summary="The files of a run")
    def every(run: str) -> list[File]:
        _find_run(service, run)
        with reading(service.engine) as connection:
            chosen = sa.select(files).where(files.c.run_id == run).order_by(files.c.path)
            return [File(path=r.path, size=r.size, sha256=r.sha256, at=r.at) for r in connection.execute(chosen)]

    @routes.get("/{path:path}", response_class=FileResponse, summary="Download a file")
    def get(run: str, path: str) -> Response:
        with reading(service.engine) as connection:
            chosen = sa.select(files.c.sha256).where(files.c.run_id == run, files.c.path == checked(path))
            sha256 = connection.execute(chosen).scalar_one_or_none()
        if sha256 is None or not shelf.place(sha256).exists():
            raise NotThere("file", path)
        name = path.rpartition("/")[2]
        return FileResponse(shelf.place(sha256), media_type="application/octet-stream", filename=name)

    return routes


def expected(request: Request) -> int:
    """Return how many bytes *request* says that it brings; 0 where it does not say."""
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() else 0  # a limit was put on it before


def _find_run(service: Service, run: str) -> None:
    with reading(service.engine) as connection:
        if connection.execute(sa.select(runs.c.id).where(runs.c.id == run)).one_or_none() is None:
            raise NotThere("run", run)
