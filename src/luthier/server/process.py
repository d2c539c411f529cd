"""The server's process: its socket, its signals, and who hears that it is ready."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

from luthier.core.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextlib.contextmanager
def spoken() -> Iterator[None]:
    """Have what uvicorn logs written to stderr.

    Its own way (a ``log_config``) would close the handlers of everybody else in this process, and the streams of some.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("uvicorn")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


class Process(uvicorn.Server):
    """Serves until SIGINT or SIGTERM; then what was begun is finished, and :meth:`run` returns.

    Args:
        config: what uvicorn is to do.
        ready: called once it answers.
        leaving: called before connections are closed: who waits at the server is to go.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], leaving: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._leaving = ready, leaving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close connections."""
        self._leaving()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear signals, and swallow them: uvicorn would raise them once more at the end."""
        before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)
        self._captured_signals.clear()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to *host* and *port*, and listens.

    Raises:
        BadArgument: the address is taken, or not this machine's.
    """
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise BadArgument("host", host, "an address of this machine", str(error)) from error
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
        bound.listen(2048)
    except OSError as error:
        bound.close()
        why = (error.strerror or str(error)).lower()
        raise BadArgument("port", port, "another one, or 0 for any that is free", f"{host}:{port}: {why}") from error
    return bound


def url_of(scheme: str, host: str, port: int) -> str:
    """Return where a server that listens there can be reached.

    >>> url_of("http", "::1", 8017), url_of("http", "0.0.0.0", 8017)
    ('http://[::1]:8017', 'http://127.0.0.1:8017')
    """
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 (compared, not bound)
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"
