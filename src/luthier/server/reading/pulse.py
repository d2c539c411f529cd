"""Server-sent events: pages hear that something has changed, twice a second at most."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import sqlalchemy as sa

from luthier.server.reading.changes import ListChanges, RunChanges, SweepChanges

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Mapping

EVERY_S, BEAT_S = 0.5, 15.0
_WAITING = 16  # messages for a reader who is slow; then it is told to read everything anew
_AGAIN = b'event: change\ndata: {"many":true}\n\n'


class Changes(Protocol):
    """Something that is looked at again and again."""

    def look(self) -> Mapping[str, Any] | None:
        """Return what is new; empty where nothing is, None where it is gone."""


class _Channel:
    """One subject, looked at once for all who listen."""

    def __init__(self) -> None:
        self.queues: set[asyncio.Queue[bytes | None]] = set()
        self.task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()


class Pulse:
    """Tells readers of pages what changes; several servers on one database each look for themselves.

    Args:
        database: the server's.
        every_s: seconds between two looks.
        beat_s: seconds of silence after which a comment shows that the stream is alive.
    """

    def __init__(self, database: sa.Engine, every_s: float = EVERY_S, beat_s: float = BEAT_S) -> None:
        self._database, self._every_s, self._beat_s = database, every_s, beat_s
        self._channels: dict[tuple[str, str], _Channel] = {}

    def sweep(self, sweep: str) -> AsyncGenerator[bytes, None]:
        """Yield what changes in *sweep*, as server-sent events; it ends when the sweep is gone."""
        return self._listen(("sweep", sweep), lambda: SweepChanges(self._database, sweep))

    def run(self, run: str) -> AsyncGenerator[bytes, None]:
        """Yield what changes in *run*, as server-sent events; it ends when the run is gone."""
        return self._listen(("run", run), lambda: RunChanges(self._database, run))

    def listing(self, only: Collection[int] | None = None) -> AsyncGenerator[bytes, None]:
        """Yield when anything changes in the projects *only*, or in any, as server-sent events."""
        key = "" if only is None else ",".join(map(str, sorted(only)))
        return self._listen(("list", key), lambda: ListChanges(self._database, only))

    async def _listen(self, key: tuple[str, str], make: Callable[[], Changes]) -> AsyncGenerator[bytes, None]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        channel = self._channels.setdefault(key, _Channel())
        channel.queues.add(queue)
        if channel.task is None:
            channel.task = asyncio.create_task(self._watch(channel, make()))
        try:
            yield b"retry: 2000\n\n"
            await channel.ready.wait()  # whatever comes after the watcher's first look is in the queue
            first = await asyncio.to_thread(make().look)
            if first is None:
                yield _message("gone", {})
                return
            yield _message("now", first)
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), self._beat_s)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if message is None:
                    yield _message("gone", {})
                    return
                yield message
        finally:
            channel.queues.discard(queue)
            if not channel.queues:
                if self._channels.get(key) is channel:
                    del self._channels[key]
                channel.task.cancel()

    async def _watch(self, channel: _Channel, changes: Changes) -> None:
        while True:
            try:
                found = await asyncio.to_thread(changes.look)
            except sa.exc.SQLAlchemyError:  # the database is away, or busy: it may come back
                found = {}
            if found is None or (found and channel.ready.is_set()):
                message = None if found is None else _message("change", found)
                for queue in channel.queues:
                    _put(queue, message)
            channel.ready.set()
            if found is None:
                return
            await asyncio.sleep(self._every_s)


def _put(queue: asyncio.Queue[bytes | None], message: bytes | None) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        if message is not None:
            message = _AGAIN
    queue.put_nowait(message)


def _message(event: str, told: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), msgspec.json.encode(told))
