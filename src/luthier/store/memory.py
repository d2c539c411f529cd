"""A log that lives as long as its object: for tests and for throw-away experiments."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from luthier.core.errors import Conflict
from luthier.store.base import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from luthier.core.events import Event


class MemoryStore:
    """An :class:`~luthier.store.base.EventStore` in memory; events are kept as the objects that they are.

    Args:
        clock: tells the time in unix seconds.

    >>> from luthier.core.events import Stalled
    >>> store = MemoryStore()
    >>> store.append([Stalled()], after=0)
    1
    >>> [record.events for record in store.read()]
    [(Stalled(),)]
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: list[Record] = []
        self._end = 0

    def append(self, events: Sequence[Event], after: int) -> int:
        """See :meth:`EventStore.append <luthier.store.base.EventStore.append>`."""
        if after != self._end:
            raise Conflict(f"the log holds {self._end} events, not {after}: read it again.")
        if events:
            record = Record(after, self._clock(), tuple(events))
            self._records.append(record)
            self._end = record.end
        return self._end

    def read(self, after: int = 0) -> Iterator[Record]:
        """See :meth:`EventStore.read <luthier.store.base.EventStore.read>`."""
        for record in self._records[: len(self._records)]:
            if record.end > after:
                yield record.since(after)

    def close(self) -> None:
        """Do nothing: what is in memory stays readable."""
