"""The routes that W&B's client knows."""

from __future__ import annotations

import logging
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from sqlalchemy.exc import SQLAlchemyError

from luthier.core.errors import BadArgument, LuthierError
from luthier.server.auth.caller import Role
from luthier.server.auth.origin import from_elsewhere
from luthier.server.database import reading
from luthier.server.missing import NotThere
from luthier.server.routes.files import expected
from luthier.server.shelf import NoRoom, Shelf, keep
from luthier.server.tables import runs
from luthier.server.wandb import filestream
from luthier.server.wandb.asked import Asked, Desk, Refused
from luthier.server.wandb.lookout import Lookout
from luthier.server.wandb.operations import OPERATIONS
from luthier.server.wandb.plain import Watch
from luthier.server.wandb.signing import Signer
from luthier.server.writer import Closed

if TYPE_CHECKING:
    from luthier.server.auth.gate import Gate
    from luthier.server.service import Service

ENTITY = "luthier"
UPLOADS = r"/wandb/uploads/[^/]+"
OPEN_PATHS = UPLOADS + r"|/wandb/downloads/[^/]+"
READS_BY_POST = r"/graphql"  # which sees to it itself who may write
LARGER = (("PUT", UPLOADS, 5 << 30), ("POST", r"/files/[^/]+/[^/]+/[^/]+/file_stream", 24 << 20))
# Older clients (0.26 and before) ask so whether a key is good.
BARE = {"viewer": "Viewer"}
_BARE = re.compile(r"\s*(?:query)?\s*\{\s*(\w+)\s*[{}]")
_NAMED = re.compile(r"\b(?:query|mutation)\s+(\w+)")
_PLACES = ("project", "projectName", "sweep", "run", "name", "artifactTypeName", "id")  # variables that name something
log = logging.getLogger("luthier.server")


class Question(msgspec.Struct, rename="camel"):
    """The body of a request to GraphQL."""

    operation_name: str | None = None
    query: str = ""
    variables: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The operation's name: that one says it, or the query's text does."""
        if self.operation_name:
            return self.operation_name
        found, bare = _NAMED.search(self.query), _BARE.match(self.query)
        return found[1] if found is not None else BARE.get(bare[1], "") if bare is not None else ""


_QUESTION = msgspec.json.Decoder(Question)


def router(service: Service, gate: Gate, entity: str = ENTITY) -> APIRouter:
    """Return the routes.

    Args:
        service: the server's.
        gate: who lets in.
        entity: what W&B's client calls the owner of all projects here; it may say any other name, too.
    """
    routes = APIRouter(include_in_schema=False)
    desk = Desk(service, gate, Signer(service.files), Lookout(), entity)
    shelf = Shelf(service.files)
    service.watches.append(Watch(service))

    @routes.post("/graphql")
    async def graphql(request: Request) -> Response:
        if from_elsewhere(request.headers) or gate.caller(request).session:
            raise HTTPException(403, "this is for W&B's client, not for pages")
        body = await request.body()
        return await run_in_threadpool(_answer, Asked(desk, request), body)

    @routes.post("/files/{entity}/{project}/{bucket}/file_stream")
    async def file_stream(entity: str, project: str, bucket: str, request: Request) -> Response:
        del entity  # there is one
        body, asked = await request.body(), Asked(desk, request)
        return _json(await run_in_threadpool(filestream.stream, asked, project, bucket, body, time.time()))

    @routes.put("/wandb/uploads/{token}")
    async def upload(token: str, request: Request) -> Response:
        allowed = desk.signer.read(token, time.time())
        if "run" not in allowed:
            raise HTTPException(403, "this address is for something else")
        run, path = allowed["run"], allowed["path"]
        await run_in_threadpool(_find_run, service, run)
        try:
            stored = await shelf.put(request.stream(), expected(request))
        except NoRoom as error:  # 507 would be tried again for a quarter of an hour
            raise HTTPException(413, str(error)) from error
        await service.write(lambda c: keep(c, run, path, stored, time.time()))
        return Response(status_code=200)

    @routes.get("/wandb/downloads/{token}", response_class=FileResponse)
    def download(token: str) -> Response:
        allowed = desk.signer.read(token, time.time())
        if "sha256" not in allowed:
            raise HTTPException(403, "this address is for something else")
        place = shelf.place(allowed["sha256"])
        if not place.exists():
            raise NotThere("file", allowed["name"])
        name = allowed["name"].rpartition("/")[2]
        headers = {"Content-Security-Policy": "default-src 'none'; sandbox"}
        return FileResponse(place, media_type="application/octet-stream", filename=name, headers=headers)

    @routes.post("/sdk/otel/{rest:path}")
    async def telemetry(rest: str) -> Response:
        """Take what the client tells about itself, and keep none of it."""
        del rest
        return Response(status_code=200)

    return routes


def _answer(asked: Asked, body: bytes) -> Response:
    try:
        question = _QUESTION.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadArgument("body", "what was sent", "a query of GraphQL", str(error)) from error
    name = question.name
    operation = OPERATIONS.get(name)
    if operation is None:
        log.info("W&B's client asked for %.80r, which is not here", name)
        return _refusal(f"this server does not know the operation {name[:80]!r}")
    if operation.writes and asked.caller.role < Role.WRITE:
        told = f"this takes a key with the role write; this one has {asked.caller.role.word}"
        return _refusal(told, HTTPStatus.FORBIDDEN)
    try:
        told = msgspec.convert(question.variables or {}, type=operation.told)
        return _json({"data": operation.answer(asked, told)})
    except msgspec.ValidationError as error:
        return _refusal(f"{name}: {error}")
    except NotThere:
        return _refusal(_nothing(question), HTTPStatus.NOT_FOUND)
    except Closed:
        raise
    except (Refused, LuthierError) as error:
        return _refusal(str(error))
    except HTTPException as error:
        hidden = error.status_code == HTTPStatus.NOT_FOUND
        return _refusal(_nothing(question) if hidden else str(error.detail), error.status_code)
    except SQLAlchemyError:
        raise
    except Exception:  # a status of 500 would be tried again for a quarter of an hour
        log.exception("%s of W&B's client failed", name)
        return _refusal(f"{name} failed here: the server's log says why")


def _json(content: object, status: int = HTTPStatus.OK) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def _refusal(message: str, status: int = HTTPStatus.OK) -> Response:
    """Return what the client shows its user: of an answer it repeats ``errors`` alone."""
    return _json({"errors": [{"message": message}], "data": None}, status)


def _nothing(question: Question) -> str:
    """Return what to tell of what is not there, and of what is another's: the same."""
    told = question.variables or {}
    named = [f"{name} {told[name][:100]!r}" for name in _PLACES if told.get(name) and isinstance(told[name], str)]
    return f"{', '.join(named) or question.name}: there is no such thing here, or this key does not see it"


def _find_run(service: Service, run: str) -> None:
    with reading(service.engine) as connection:
        if connection.execute(sa.select(runs.c.id).where(runs.c.id == run)).one_or_none() is None:
            raise NotThere("run", run)
