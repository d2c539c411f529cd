"""So much time, and no more."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import Any

from luthier.core.arguments import amount
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.stopper.stopper import CombinedStopper, Stopper


class TimeoutStopper(Stopper):
    """Ends the whole experiment after a time.

    A Tuner takes it as its ``time_budget_s`` (the lesser of the two counts): the end comes on time, be there results or
    not; after a restart there is left what the drivers of before did not use, and the time between them costs nothing.

    Args:
        timeout: seconds, or a ``datetime.timedelta``.

    Raises:
        BadArgument: *timeout* is no number, or negative.

    >>> TimeoutStopper(3600).stop_all(), TimeoutStopper(0).stop_all()
    (False, True)
    """

    def __init__(self, timeout: float | timedelta) -> None:
        if isinstance(timeout, timedelta):
            seconds = timeout.total_seconds()
        elif isinstance(timeout, int | float):
            seconds = amount("timeout", timeout)
        else:
            raise BadArgumentType("timeout", timeout, "seconds, or a datetime.timedelta")
        if not seconds >= 0:
            raise BadArgument("timeout", timeout, "seconds, 0 or more")
        self.timeout_s = seconds
        self.reason = f"{seconds:g} s are over"
        self._left = seconds
        self._since: float | None = None  # the clock when it was last asked; it runs from when it is first asked

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return False: it is about the whole."""
        return False

    def stop_all(self) -> bool:
        """Return whether the time is over."""
        now = time.monotonic()
        if self._since is not None:
            self._left -= now - self._since
        self._since = now
        return self._left <= 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Go on with the time that is left, from when it is next asked."""
        self.__dict__.update(state, _since=None)


def timeout_of(stop: object) -> float:
    """Return after how many seconds *stop*, or a stopper in it, ends the experiment; infinity where none does.

    >>> timeout_of(TimeoutStopper(timedelta(minutes=1)))
    60.0
    """
    if isinstance(stop, TimeoutStopper):
        return stop.timeout_s
    return min(map(timeout_of, stop.stoppers), default=math.inf) if isinstance(stop, CombinedStopper) else math.inf
