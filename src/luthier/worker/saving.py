"""When a class trainable saves itself because a scheduler will want to go on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.goal import lookup, number

if TYPE_CHECKING:
    from collections.abc import Mapping


class SaveRule(msgspec.Struct, frozen=True):
    """Save at the results at which the scheduler looks at the trial.

    Attributes:
        time_attr: the metric that says how far the trial is.
        interval: how far apart such results are; none where None.
        start: before this there is none.
        at: such times, each of which counts once.

    >>> rule = SaveRule("training_iteration", interval=2, start=3)
    >>> [rule.due({"training_iteration": step}, 0) is not None for step in (1, 2, 3)]
    [False, False, True]
    """

    time_attr: str
    interval: float | None = None
    start: float = 0.0
    at: tuple[float, ...] = ()

    def due(self, metrics: Mapping[str, Any], last: float) -> float | None:
        """Return the time of a result with *metrics* where it is one at which to save, else None.

        Args:
            metrics: the result.
            last: the time of the last such result; 0 at first.
        """
        now = number(lookup(metrics, self.time_attr))
        if now is None or not now >= self.start:
            return None
        if self.interval is not None and now - last >= self.interval:
            return now
        return now if any(last < time <= now for time in self.at) else None
