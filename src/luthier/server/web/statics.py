"""Files that pages need: styles, scripts, and plotly's own script from the installed package."""

from __future__ import annotations

import gzip
from functools import cache
from importlib import resources
from pathlib import Path

from fastapi import APIRouter
from fastapi.requests import Request
from fastapi.responses import Response

from luthier.server.web.looks import static

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_FOR_NOW = {"Cache-Control": "public, max-age=300"}
PLOTLY = "plotly.min.js"


def router() -> APIRouter:
    """Return the routes of ``/static`` and of the icon; they need no key."""
    routes = APIRouter(include_in_schema=False)
    names = {path.name for path in (resources.files("luthier.server.web") / "static").iterdir()}

    @routes.get("/static/{name}")
    def file(request: Request, name: str) -> Response:
        age = _FOR_EVER if "v" in request.query_params else _FOR_NOW
        if name == PLOTLY:
            packed = "gzip" in request.headers.get("accept-encoding", "")
            headers = {**age, "Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if packed else {})}
            return Response(_plotly_packed() if packed else _plotly(), media_type="text/javascript", headers=headers)
        if name not in names:
            return Response(status_code=404)
        return Response(static(name), media_type=_KINDS[Path(name).suffix], headers=age)

    @routes.get("/favicon.ico")
    def icon() -> Response:
        return Response(static("icon.svg"), media_type="image/svg+xml", headers=_FOR_NOW)

    return routes


def _plotly() -> bytes:
    return (resources.files("plotly") / "package_data" / PLOTLY).read_bytes()


@cache
def _plotly_packed() -> bytes:
    return gzip.compress(_plotly(), 6)
