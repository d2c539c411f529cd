"""What every answer carries, and what no request may be: headers against browsers' attacks, limits of bodies, hosts.

All of it is plain ASGI: nothing is buffered, and streams stay streams.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio
from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from luthier.server.auth.origin import host_of, is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1 << 20
BODY_LIMIT = 10 * MIB
LINGER_S = 30.0
# (method, path, bytes): the first that fits counts.
LARGER: tuple[tuple[str, str, int], ...] = (("PUT", r"/api/v1/runs/[^/]+/files/.+", 5 << 30),)

# Plotly writes the styles of its figures into the page; nothing else is allowed inline, and nothing from elsewhere.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# What runs have made is shown or saved, but never runs: it is not ours.
_FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
_FILES = re.compile(r"/files/.")
_ACTIVE = re.compile(r"script|html|xml|svg|wasm", re.IGNORECASE)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class SecureHeaders:
    """Adds security headers to every answer; what a run has uploaded comes as a download that cannot run here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, secure = scope["path"], scope.get("scheme") == "https"

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(MutableHeaders(scope=message), path, secure=secure)
            await send(message)

        await self._app(scope, receive, sending)

    def _dress(self, headers: MutableHeaders, path: str, *, secure: bool) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if secure:
            headers.setdefault("strict-transport-security", "max-age=31536000")
        if path.startswith("/api/"):
            headers.setdefault("cache-control", "no-store")
        if _FILES.search(path):
            headers["content-security-policy"] = _FILE_POLICY
            headers.setdefault("content-disposition", "attachment")
            if _ACTIVE.search(headers.get("content-type", "")):
                headers["content-type"] = "application/octet-stream"
            return
        headers.setdefault("content-security-policy", _PAGE_POLICY)


class BodyLimit:
    """Refuses bodies that are too large with 413: at once where they say so, else while they come.

    Args:
        app: what answers.
        limit: bytes at most.
        larger: routes that may take more: ``(method, pattern of the whole path, bytes)``.
    """

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT, larger: Sequence[tuple[str, str, int]] = LARGER) -> None:
        self._app, self._limit = app, limit
        self._larger = [(method, re.compile(pattern), most) for method, pattern, most in larger]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most, seen, started = self._most(scope["method"], scope["path"]), 0, False
        said = Headers(scope=scope).get("content-length", "")
        if said and (not said.isascii() or not said.isdigit()):
            await _refuse(400, "Content-Length is no number")(scope, receive, send)
            return
        if said and int(said[:20]) > most:
            await _too_large(most)(scope, receive, send)
            return

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > most:
                    raise _TooLarge(most)
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counting, sending)
        except _TooLarge:
            if started:
                raise
            await _too_large(most)(scope, receive, send)

    def _most(self, method: str, path: str) -> int:
        for wanted, pattern, most in self._larger:
            if method == wanted and pattern.fullmatch(path):
                return max(most, self._limit)
        return self._limit


class Patience:
    """Hears to its end what it has answered already, for a while and without keeping any of it.

    A server that closes its socket while a body still comes resets the connection, and the client, which is at writing,
    never reads the answer: it takes a clear refusal for a network that fails, and tries again.

    Args:
        app: what answers.
        linger_s: how long to go on hearing, in seconds.
    """

    def __init__(self, app: ASGIApp, linger_s: float = LINGER_S) -> None:
        self._app, self._linger_s = app, linger_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if "transfer-encoding" not in headers and headers.get("content-length", "0") == "0":
            await self._app(scope, receive, send)
            return
        heard = False

        async def hearing() -> Message:
            nonlocal heard
            message = await receive()
            heard = heard or message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def sending(message: Message) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not last or heard:
                await send(message)
                return
            await send({**message, "more_body": True})
            with anyio.move_on_after(self._linger_s):
                while not heard:
                    await hearing()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, hearing, sending)


class KnownHosts:
    """Answers only to names of the loopback, so that no name of a web page's can be bound to it later (DNS rebinding).

    Args:
        app: what answers.
        also: other names that are its own.
    """

    def __init__(self, app: ASGIApp, also: Sequence[str] = ()) -> None:
        self._app, self._also = app, frozenset(name.lower() for name in also)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] in {"http", "websocket"}:
            given = Headers(scope=scope).getlist("host")
            host = host_of(given[0]) if len(given) == 1 else None
            if host is None or not (is_loopback(host) or host in self._also):
                refusal = _refuse(
                    421, "a server without keys answers on the loopback only: open http://127.0.0.1, or make a key"
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _TooLarge(HTTPException):
    """A body became too large while it came; FastAPI lets its own exceptions pass, and makes 400 of all others."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the body has more than {most} bytes", {"connection": "close"})


def _too_large(most: int) -> JSONResponse:
    return _refuse(413, f"the body has more than {most} bytes", connection="close")


def _refuse(status: int, text: str, **headers: str) -> JSONResponse:
    return JSONResponse({"detail": text}, status, headers=headers)
