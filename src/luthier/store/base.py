"""What every log of events can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from luthier.core.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Record(msgspec.Struct, frozen=True):
    """One batch of events, as it was appended: it is in the log wholly or not at all.

    Attributes:
        first: sequence number of its first event; events are numbered from 0 through the whole log.
        at: when the store took it, in unix seconds by the wall clock.
        events: what happened, in order; never empty.
    """

    first: int
    at: float
    events: tuple[Event, ...]

    @property
    def end(self) -> int:
        """Sequence number of the first event after this batch."""
        return self.first + len(self.events)

    def since(self, after: int) -> Record:
        """Return the record without the events before number *after*.

        >>> from luthier.core.events import Stalled
        >>> Record(3, 0.0, (Stalled(), Stalled())).since(4)
        Record(first=4, at=0.0, events=(Stalled(),))
        """
        if after <= self.first:
            return self
        return Record(after, self.at, self.events[after - self.first :])


class EventStore(Protocol):
    """The append-only log of one experiment."""

    def append(self, events: Sequence[Event], after: int) -> int:
        """Add *events* as one batch if the log holds exactly *after* events, and return how many it holds then.

        Once it returns, the batch survives the death of this process.

        Raises:
            Conflict: the log holds more or fewer events than *after*; nothing was added.
            NotStorable: a value in *events* cannot be written; nothing was added.
            StoreFailed: the log cannot be written (:class:`StoreFull` where there is no room); nothing was added.
        """

    def read(self, after: int = 0) -> Iterator[Record]:
        """Yield the batches from event number *after* on; the first one may be cut to begin there.

        Raises:
            CorruptLog: something in the middle of the log cannot be read.
            NewerFormat: the log was written by a newer Luthier.
        """

    def close(self) -> None:
        """Let go of the log; closing twice does no harm."""
