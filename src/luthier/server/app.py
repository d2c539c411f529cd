"""The server's application."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import luthier
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError, PolicyError
from luthier.server.database import connect
from luthier.server.roster import NoSuch
from luthier.server.routes import agents, sweeps
from luthier.server.routes import files as uploads
from luthier.server.schema import migrate
from luthier.server.service import Service
from luthier.server.writer import Closed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NoSuch, 404),
    (BadArgument, 422),
    (BadArgumentType, 422),
    (PolicyError, 409),
    (Closed, 503),
    (LuthierError, 503),
)


def create_app(database_url: str, *, files: Path, auth: bool = False, lease_s: float = 300.0) -> FastAPI:
    """Return the application over the database at *database_url*.

    Args:
        database_url: see :func:`luthier.server.database.connect`.
        files: the directory for what runs upload.
        auth: whether keys are needed.
        lease_s: how long an agent may be silent until its runs go to others, in seconds.
    """
    engine = connect(database_url)
    migrate(engine)
    service = Service(engine, files, lease_s)

    @contextlib.asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(title="Luthier", version=luthier.__version__, lifespan=life)
    app.state.service = service
    for part in (agents, sweeps, uploads):
        app.include_router(part.router(service))

    @app.exception_handler(LuthierError)
    async def refuse(_request: Request, error: LuthierError) -> JSONResponse:
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        headers = {"Retry-After": "1"} if status == 503 else None  # noqa: PLR2004 (unavailable)
        return JSONResponse({"detail": str(error)}, status, headers)

    return app
