"""Bells: an agent that waits for orders is woken when there are some."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class Bells:
    """One bell for each agent that waits.

    :meth:`ring` may be called from any thread; everything else belongs to the event loop.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Event] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def ring(self, agents: Collection[str]) -> None:
        """Wake those of *agents* that wait."""
        with self._lock:
            loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._ring, list(agents))

    def hang(self, agent: str) -> asyncio.Event:
        """Return the bell of *agent*, silent; hang it before asking for orders, so that none is missed."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
        bell = self._waiting.setdefault(agent, asyncio.Event())
        bell.clear()
        return bell

    def take_down(self, agent: str) -> None:
        """Hear that *agent* waits no longer."""
        self._waiting.pop(agent, None)

    def waiting(self) -> list[str]:
        """Return the agents that wait."""
        return list(self._waiting)

    def _ring(self, agents: Collection[str]) -> None:
        for agent in agents:
            if (bell := self._waiting.get(agent)) is not None:
                bell.set()
