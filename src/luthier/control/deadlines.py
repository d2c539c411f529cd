"""Deadlines: time that has passed becomes a stimulus."""

from __future__ import annotations

from luthier.core import events as ev


class Deadlines:
    """The time budget of an experiment.

    Args:
        budget_s: seconds that the experiment may take, from *start*; None for no limit.
        start: when it started (seconds of the loop's clock).
        tick_s: how long to wait at most when nothing is due.

    >>> Deadlines(60.0, start=100.0, tick_s=1.0).due(161.0)
    [StopRequested(reason='the time budget of 60 s is used up')]
    """

    def __init__(self, budget_s: float | None, start: float, tick_s: float) -> None:
        self._budget, self._end = budget_s, None if budget_s is None else start + budget_s
        self._tick = tick_s

    def wait(self, now: float) -> float:
        """Return how many seconds may be waited before something is due."""
        return self._tick if self._end is None else min(max(self._end - now, 0.0), self._tick)

    def due(self, now: float) -> list[ev.StopRequested]:
        """Return what is due at *now*, once."""
        if self._end is None or now < self._end:
            return []
        self._end = None
        return [ev.StopRequested(f"the time budget of {self._budget:g} s is used up")]
