"""A stopper that does nothing."""

from __future__ import annotations

from typing import Any

from luthier.tune.stopper.stopper import Stopper


class NoopStopper(Stopper):
    """Never stops anything.

    >>> NoopStopper()("a_00000", {})
    False
    """

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return False."""
        return False
