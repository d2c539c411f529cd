"""A server of pages on the loopback, and Chromium that looks at them."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.requests import Request  # noqa: TC002 (FastAPI reads the annotation)
from playwright.sync_api import sync_playwright

from luthier.plots.picture import found_browser
from luthier.server.auth.armor import SecureHeaders
from luthier.server.routes import reading
from luthier.server.web import pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa
    from playwright.sync_api import Browser

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def application(database: sa.Engine, asked: list[tuple[Any, ...]]) -> FastAPI:
    """Return pages and what they read; what their buttons send is added to *asked*."""
    app = FastAPI()

    async def note(request: Request) -> Response:
        body = await request.body()
        asked.append((request.method, request.url.path, body.decode(), request.headers.get("x-luthier-csrf")))
        return Response(status_code=204)

    app.add_api_route("/api/v1/sweeps/{sweep}", note, methods=["PATCH"])
    app.add_api_route("/api/v1/runs/{run}/stop", note, methods=["POST"])
    app.add_api_route("/api/v1/runs/{run}", note, methods=["DELETE"])
    app.include_router(reading.router(database))
    app.include_router(pages.router(database))
    app.add_middleware(SecureHeaders)
    return app


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Give the address of *app*."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, log_level="error", timeout_graceful_shutdown=1, lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found_browser(), args=FLAGS)
        yield browser
        browser.close()
