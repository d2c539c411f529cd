"""Lists that W&B's client reads page by page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


class Lists:
    """Lists of which a client has had a page: the next one is of the same list, which is not made again for it.

    What is forgotten is made again; so servers need not share it.

    Args:
        most: how many are kept.
        for_s: how long, since a page of it was asked for.
    """

    def __init__(self, most: int = 32, for_s: float = 300.0) -> None:
        self._most, self._for_s = most, for_s
        self._kept: dict[Hashable, tuple[float, Sequence[str]]] = {}
        self._lock = threading.Lock()

    def keep(self, key: Hashable, ids: Sequence[str], now: float) -> None:
        """Remember a list."""
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = now, ids
            while len(self._kept) > self._most:
                self._kept.pop(next(iter(self._kept)))

    def find(self, key: Hashable, now: float) -> Sequence[str] | None:
        """Return a list; None where it is not known, or was not asked for in a long time."""
        with self._lock:
            at, ids = self._kept.pop(key, (now, None))
            if ids is None or now - at > self._for_s:
                return None
            self._kept[key] = now, ids
            return ids
