"""What the drivers of before did: how long they worked, and whom an end that was asked for cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core import events as ev
from luthier.core.engine import ENDING
from luthier.core.terms import Status

if TYPE_CHECKING:
    from luthier.core.terms import TrialId
    from luthier.store.base import Record


class Sessions:
    """A fold of the records of a log.

    A session is what one driver did: it begins with the log, or where the experiment was reopened, and lasts until the
    last record before the next one.  The time between two sessions, in which nobody worked, does not count.

    Attributes:
        used: seconds that the sessions took, all together.
        count: how many sessions there were.
        cut_short: the trials that ended only because the whole experiment was asked to, in that order; none where it
            was not, or where that was taken back.
        reasons: what these trials ended with.

    >>> from luthier.store.base import Record
    >>> sessions = Sessions()
    >>> for at, event in ((10, ev.Stalled()), (14, ev.Stalled()), (100, ev.Reopened()), (101, ev.Stalled())):
    ...     sessions.add(Record(sessions.end, at, (event,)))
    >>> sessions.used, sessions.count
    (5.0, 2)
    """

    def __init__(self) -> None:
        self.end = 0
        self.used, self.count, self._last = 0.0, 0, 0.0
        self.cut_short: dict[TrialId, None] = {}
        self.reasons: frozenset[str] = frozenset()

    def add(self, record: Record) -> None:
        """Fold one more batch in; one that was heard before is passed over."""
        if record.first < self.end:
            return
        self.end = record.end
        opens = isinstance(record.events[0], ev.Reopened)
        if not self.count or opens:
            self.count += 1
        else:
            self.used += max(0.0, record.at - self._last)  # a clock that was set back
        self._last = record.at
        if opens or self.reasons or any(isinstance(event, ev.StopRequested) for event in record.events):
            self._look(record)

    def _look(self, record: Record) -> None:
        for event in record.events:
            match event:
                case ev.Reopened(stopping=False):
                    self.reasons = frozenset()
                    self.cut_short.clear()
                case ev.StopRequested(reason):
                    self.reasons = frozenset((reason, ENDING))
                case ev.Ended(trial, Status.STOPPED, reason) if reason in self.reasons:
                    self.cut_short[trial] = None
                case _:
                    pass
