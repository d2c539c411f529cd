"""So many results, and no more."""

from __future__ import annotations

from typing import Any

from luthier.core.arguments import whole
from luthier.tune.stopper.stopper import Stopper


class MaximumIterationStopper(Stopper):
    """Stops each trial after *max_iter* results; those of all its attempts count.

    Raises:
        BadArgument: *max_iter* is no whole number of 1 or more.

    >>> stopper = MaximumIterationStopper(2)
    >>> [stopper("a_00000", {}) for _ in range(2)]
    [False, True]
    """

    def __init__(self, max_iter: int) -> None:
        self._max_iter = whole("max_iter", max_iter, 1)
        self._seen: dict[str, int] = {}
        self.reason = f"{self._max_iter} results"

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether this is the trial's last result."""
        self._seen[trial_id] = seen = self._seen.get(trial_id, 0) + 1
        return seen >= self._max_iter
