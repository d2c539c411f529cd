"""Patience: how long an attempt may take, and how long it may be silent."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, NamedTuple

from luthier.core import events as ev
from luthier.core.terms import TrialId

if TYPE_CHECKING:
    from collections.abc import Iterable

_SLACK = 64  # entries of ended attempts that may lie in the queue, beside as many as there are running ones


class Overdue(NamedTuple):
    """An attempt that has used up its time, and why."""

    trial: TrialId
    attempt: int
    reason: str


class _Watched:
    __slots__ = ("attempt", "began", "heard")

    def __init__(self, attempt: int, now: float) -> None:
        self.attempt, self.began, self.heard = attempt, now, now


class Patience:
    """Watches the attempts that run: told of events and of the time, it says whose time is up.

    A report costs one look-up; only where an attempt begins, or may be overdue, does the queue change, which takes
    O(log n).  An attempt that was told to let go is watched no longer: the executor has a grace for that.

    Args:
        trial_s: seconds that an attempt may take; None for no limit.
        report_s: seconds until its first report and between two of them; None for no limit.

    >>> patience = Patience(report_s=30)
    >>> patience.heed([ev.Launched("t", 1, "w", {}, {})], now=0.0)
    >>> patience.wait(now=10.0), patience.due(now=29.0)
    (20.0, [])
    >>> patience.due(now=30.0)[0].reason
    'no first report for 30 s (report_timeout_s)'
    """

    def __init__(self, trial_s: float | None = None, report_s: float | None = None) -> None:
        self._trial, self._report = trial_s, report_s
        self.endless = trial_s is None and report_s is None
        self._watched: dict[TrialId, _Watched] = {}
        self._queue: list[tuple[float, TrialId, int]] = []  # when to look at which attempt; never later than it is due

    def heed(self, events: Iterable[ev.Event], now: float) -> None:
        """Take note of what happened at *now*."""
        if self.endless:
            return
        for event in events:
            match event:
                case ev.Reported(trial):
                    watched = self._watched.get(trial)
                    if watched is not None:
                        watched.heard = now
                case ev.Launched(trial, attempt):
                    self.begin(trial, attempt, now)
                case ev.Exited(trial) | ev.Halted(trial):
                    self._watched.pop(trial, None)

    def begin(self, trial: TrialId, attempt: int, now: float) -> None:
        """Watch an attempt that begins at *now*; one that turned out not to have begun begins anew."""
        if len(self._queue) > 2 * len(self._watched) + _SLACK:
            self._queue = [entry for entry in self._queue if self._find(entry) is not None]
            heapq.heapify(self._queue)
        self._watched[trial] = watched = _Watched(attempt, now)
        heapq.heappush(self._queue, (self._end(watched), trial, attempt))

    def wait(self, now: float) -> float:
        """Return in how many seconds somebody may be overdue; infinity where nobody can be."""
        return max(self._queue[0][0] - now, 0.0) if self._queue else math.inf

    def due(self, now: float) -> list[Overdue]:
        """Return whose time is up at *now*; each is told once."""
        overdue = []
        while self._queue and self._queue[0][0] <= now:
            entry = heapq.heappop(self._queue)
            watched = self._find(entry)
            if watched is None:
                continue
            _, trial, attempt = entry
            if self._end(watched) > now:  # it has reported since
                heapq.heappush(self._queue, (self._end(watched), trial, attempt))
                continue
            del self._watched[trial]
            overdue.append(Overdue(trial, attempt, self._reason(watched, now)))
        return overdue

    def _find(self, entry: tuple[float, TrialId, int]) -> _Watched | None:
        watched = self._watched.get(entry[1])
        return watched if watched is not None and watched.attempt == entry[2] else None

    def _end(self, watched: _Watched) -> float:
        trial_end = math.inf if self._trial is None else watched.began + self._trial
        return trial_end if self._report is None else min(trial_end, watched.heard + self._report)

    def _reason(self, watched: _Watched, now: float) -> str:
        if self._trial is not None and now >= watched.began + self._trial:
            return f"not over after {self._trial:g} s (trial_timeout_s)"
        first = "first " if watched.heard == watched.began else ""
        return f"no {first}report for {self._report:g} s (report_timeout_s)"
