"""How long an answer has been waited for, by the time that whoever waits was there to hear it."""

from __future__ import annotations

SLICE_S = 1.0


class Vigil:
    """Adds up the time between one look and the next, of which never more than a second counts.

    So the time does not count during which the one who waits was stopped, busy with other things, or asleep with the
    whole machine: the other side may have slept, too, or its answer may lie there unread.

    >>> vigil = Vigil()
    >>> [vigil.look(now) for now in (100.0, 100.5, 3700.0, 3700.5)]
    [0.0, 0.5, 1.5, 2.0]
    >>> vigil.begin()
    >>> vigil.look(3701.0)
    0.0
    """

    __slots__ = ("_last", "waited")

    def __init__(self) -> None:
        self.waited = 0.0
        self._last: float | None = None

    def begin(self) -> None:
        """Begin anew: there was a sign of life, or there is something new to wait for."""
        self.waited, self._last = 0.0, None

    def look(self, now: float) -> float:
        """Return for how many seconds it has been waited when it is *now* (monotonic seconds)."""
        if self._last is not None:
            self.waited += min(max(now - self._last, 0.0), SLICE_S)
        self._last = now
        return self.waited
