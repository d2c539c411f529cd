"""The pages where a browser logs in with a key, and out."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from luthier.server.auth.keys import COOKIE, SESSION_S
from luthier.server.auth.origin import from_elsewhere

if TYPE_CHECKING:
    from luthier.server.auth.gate import Gate

_LONGEST = 4096
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Log in · Luthier</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
body {{ display: grid; place-items: center; min-height: 90vh; margin: 0; padding: 1rem; }}
form {{ display: grid; gap: .75rem; width: min(24rem, 100%); }}
input, button {{ font: inherit; padding: .6rem; box-sizing: border-box; width: 100%; }}
p {{ margin: 0; }} .wrong {{ color: light-dark(#a40000, #ff9a9a); }}
</style></head><body><main><h1>Luthier</h1>
<form method="post" action="/login">{wrong}
<label for="key">API key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<input type="hidden" name="next" value="{there}">
<button>Log in</button>
<p>Keys are made on the server: <code>luthier server key add NAME</code></p>
</form></main></body></html>
"""


def login_routes(gate: Gate) -> APIRouter:
    """Return ``/login`` and ``/logout``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    async def page(request: Request) -> Response:
        there = local_path(request.query_params.get("next", "/"))
        return _page(there) if gate.required else RedirectResponse(there, 303)

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        if from_elsewhere(request.headers):
            raise HTTPException(403, "a page of another site sent this")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST:
                raise HTTPException(413, "that is too long for a key")
        try:
            form = parse_qs(body.decode("ascii"), max_num_fields=10)
        except ValueError:
            raise HTTPException(400, "the form cannot be read") from None
        there = local_path(form.get("next", ["/"])[0])
        token = await gate.login(request, form.get("key", [""])[0].strip())
        if token is None:
            return _page(there, "That is no key, or it was revoked.", 401)
        response = RedirectResponse(there, 303)
        secure = request.scope["scheme"] == "https"
        response.set_cookie(
            COOKIE, token, max_age=int(SESSION_S), path="/", httponly=True, samesite="strict", secure=secure
        )
        return response

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        token = request.cookies.get(COOKIE)
        if token:
            await run_in_threadpool(gate.keys.close_session, token)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return response

    return router


def local_path(given: str) -> str:
    r"""Return *given* if it is a path on this server, else ``/``.

    >>> local_path("/sweeps/abc?tab=runs"), local_path("//evil.example/x"), local_path("/\\evil.example")
    ('/sweeps/abc?tab=runs', '/', '/')
    """
    fine = given.startswith("/") and not given.startswith("//") and "\\" not in given and given.isprintable()
    try:
        parsed = urlsplit(given)
    except ValueError:
        return "/"
    return given if fine and not parsed.netloc and not parsed.scheme else "/"


def _page(there: str, wrong: str = "", status: int = 200) -> HTMLResponse:
    said = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    return HTMLResponse(_PAGE.format(wrong=said, there=escape(there)), status, {"cache-control": "no-store"})
