"""One of several agents of W&B's: its process, and what it prints."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from luthier.agent.output import Lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.agent.child import Child

_CHUNK = 1 << 16
_CLOSING_S = 2.0  # for what still is in the pipes when the program has gone


class Member:
    """One agent of a fleet.

    Args:
        name: what people call it.
        child: its process.
        printed: shows what it prints: its name, and lines.
    """

    def __init__(self, name: str, child: Child, printed: Callable[[str, list[str]], None]) -> None:
        self.name, self.child, self._printed = name, child, printed
        self._pipes = {child.out: Lines(), child.err: Lines()}
        self._closing = float("inf")

    def hear(self, source: Any) -> bool:
        """Take what there is from *source*, a pipe or the guard's line; return whether there may be more."""
        if source is self.child.line:
            return not self.child.hear()
        try:
            data = os.read(source, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        lines = self._pipes[source].feed(data) if data else self._pipes.pop(source).rest()
        if lines:
            self._printed(self.name, lines)
        return bool(data)

    @property
    def over(self) -> bool:
        """Whether it has ended, and has been heard out."""
        if self.child.code is None and not self.child.gone:
            return False
        now = time.monotonic()
        self._closing = min(self._closing, now + _CLOSING_S)
        return (self.child.gone and not self._pipes) or now >= self._closing

    def close(self) -> None:
        """Show what has no end, and let the pipes go."""
        for lines in self._pipes.values():
            if rest := lines.rest():
                self._printed(self.name, rest)
        self._pipes.clear()
        while not self.child.gone:
            self.child.kill()
            time.sleep(0.005)
        self.child.hear()
        self.child.close()
