"""The first to see a request: finds out who makes it, and turns away who may not."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from luthier.server.auth.caller import Caller


class Admitting(Protocol):
    """Who knows whom to let in: :class:`luthier.server.auth.gate.Gate`."""

    async def admit(self, request: Request) -> Caller | None:
        """Return who makes *request*, or raise ``HTTPException``."""


class Entrance:
    """Puts the caller into ``request.state.caller``; answers those who are turned away.

    A browser that asks for a page is sent to the login, everybody else gets JSON.
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
        request = Request(scope, receive)
        try:
            request.state.caller = await self._gate.admit(request)
        except HTTPException as refusal:
            await _turned_away(request, refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _turned_away(request: Request, refusal: HTTPException) -> Response:
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if refusal.status_code == HTTPStatus.UNAUTHORIZED and wants_page:
        query = request.scope["query_string"].decode("latin-1")
        there = request.scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(there, safe='')}", 303)
    return JSONResponse({"detail": refusal.detail}, refusal.status_code, refusal.headers)
