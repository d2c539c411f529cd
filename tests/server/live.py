"""A server that really listens, in a thread of the tests."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn

from luthier.server.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def listening(database_url: str, files: Path, port: int = 0, **more: Any) -> Iterator[str]:
    """Give the URL of a server; it ends with the block."""
    app = create_app(database_url, files=files, **more)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    (socket,) = server.servers[0].sockets
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
