"""The first to see a request: finds out who makes it, and turns away who may not."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from luthier.server.auth.caller import Caller

LOOK_S = 5.0  # how often a stream looks whether its key stands


class Admitting(Protocol):
    """Who knows whom to let in: :class:`luthier.server.auth.gate.Gate`."""

    async def admit(self, request: Request) -> Caller | None:
        """Return who makes *request*, or raise ``HTTPException``."""

    async def stands(self, request: Request) -> bool:
        """Return whether who made *request* would be let in now, too."""


class Entrance:
    """Puts the caller into ``request.state.caller``; answers those who are turned away.

    A browser that asks for a page is sent to the login, everybody else gets JSON.  A stream of events ends soon after
    its key was revoked.
    """

    def __init__(self, app: ASGIApp, gate: Admitting) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":  # there are none here; whoever adds one must think of keys first
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\x00" in scope["path"] or b"%00" in scope["query_string"] or b"\x00" in scope["query_string"]:
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)  # nothing has such a name
            return
        request = Request(scope, receive)
        try:
            request.state.caller = await self._gate.admit(request)
        except HTTPException as refusal:
            await _turned_away(request, refusal)(scope, receive, send)
            return
        watched = _Watched(self._gate, request, send)
        try:
            await self._app(scope, receive, watched.send)
        except Exception:
            if not watched.over:
                raise


class _Watched:
    """Sends an answer; if it is a stream of events, only while its key stands."""

    def __init__(self, gate: Admitting, request: Request, send: Send) -> None:
        self._gate, self._request, self._send = gate, request, send
        self._streams, self._looked, self.over = False, time.monotonic(), False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = dict(message["headers"]).get(b"content-type", b"")
            self._streams = kind.startswith(b"text/event-stream")
        elif self._streams and time.monotonic() - self._looked >= LOOK_S:
            self._looked = time.monotonic()
            if not await self._gate.stands(self._request):
                self.over = True
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                raise OSError("the key was revoked")  # as if the client had gone
        await self._send(message)


def _turned_away(request: Request, refusal: HTTPException) -> Response:
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if refusal.status_code == HTTPStatus.UNAUTHORIZED and wants_page:
        query = request.scope["query_string"].decode("latin-1")
        there = request.scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(there, safe='')}", 303)
    told: dict[str, object] = {"detail": refusal.detail}
    if request.scope["path"].endswith("/graphql"):  # W&B's client repeats nothing else
        told["errors"] = [{"message": refusal.detail}]
    return JSONResponse(told, refusal.status_code, refusal.headers)
