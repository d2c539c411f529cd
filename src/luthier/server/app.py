"""The server's application."""

from __future__ import annotations

import contextlib
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from sqlalchemy import exc as sa_errors
from sqlalchemy.exc import InterfaceError, OperationalError

import luthier
from luthier.core.errors import BadArgument, BadArgumentType, BadSweep, LuthierError, MissingLibrary, PolicyError
from luthier.server.auth.armor import LARGER
from luthier.server.auth.gate import OPEN_PATHS, Gate
from luthier.server.auth.guard import guard
from luthier.server.database import connect, why
from luthier.server.missing import NotThere
from luthier.server.refusals import add_refusals
from luthier.server.routes import agents, experiments, reading, sweeps
from luthier.server.routes import files as uploads
from luthier.server.schema import migrate
from luthier.server.service import Service
from luthier.server.shelf import NoRoom, Sealed
from luthier.server.wandb import routes as wandb
from luthier.server.web import pages
from luthier.server.writer import Closed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger("luthier.server")
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotThere, 404),
    (BadSweep, 422),
    (BadArgument, 422),
    (BadArgumentType, 422),
    (PolicyError, 409),
    (MissingLibrary, 422),  # to be asked again would not help
    (Closed, 503),
    (NoRoom, 507),
    (Sealed, 409),
    (LuthierError, 503),
)


def create_app(
    database_url: str, *, files: Path, auth: bool = False, lease_s: float = 300.0, entity: str = wandb.ENTITY
) -> FastAPI:
    """Return the application over the database at *database_url*.

    Args:
        database_url: see :func:`luthier.server.database.connect`.
        files: the directory for what runs upload.
        auth: whether keys are needed.
        lease_s: how long an agent may be silent until its runs go to others, in seconds.
        entity: what W&B's client calls the owner of all projects here.
    """
    engine = connect(database_url)
    migrate(engine)
    open_paths = f"{OPEN_PATHS}|{wandb.OPEN_PATHS}"
    gate = Gate(engine, required=auth, open_paths=open_paths, reads_by_post=wandb.READS_BY_POST)
    service = Service(engine, files, lease_s)

    @contextlib.asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(service.close)

    app = FastAPI(
        title="Luthier",
        version=luthier.__version__,
        lifespan=life,
        dependencies=gate.everywhere,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    # Routes are tried in their order: first what is asked many times a second.
    app.include_router(agents.router(service, gate))
    app.include_router(wandb.router(service, gate, entity))
    guard(app, gate, larger_bodies=(*LARGER, *wandb.LARGER))
    add_refusals(app)
    for part in (sweeps, experiments, uploads):
        app.include_router(part.router(service, gate))
    app.include_router(reading.router(engine))
    app.include_router(pages.router(engine))

    @app.get("/api/v1/health", tags=["server"], summary="Whether the server works")
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": luthier.__version__}

    @app.exception_handler(LuthierError)
    async def refuse(_request: Request, error: LuthierError) -> JSONResponse:
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return JSONResponse({"detail": str(error)}, status, headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(sa_errors.TimeoutError)
    async def wait(_request: Request, error: Exception) -> JSONResponse:
        log.error("the database: %s", why(error))
        return JSONResponse({"detail": f"the database: {why(error)}"}, 503, {"Retry-After": "1"})

    return app
