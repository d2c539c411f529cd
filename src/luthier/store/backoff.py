"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import msgspec


class Backoff(msgspec.Struct, frozen=True):
    """Waits that double from one failure to the next, up to a limit, each drawn from around its middle.

    Attributes:
        first: seconds after the first failure.
        longest: seconds that a wait never exceeds.
        jitter: share of a wait that is left to chance, so that many who fail together do not come back together.

    >>> Backoff(first=1.0, longest=10.0, jitter=0.5).delay(failures=3, chance=1.0)
    4.0
    """

    first: float = 0.5
    longest: float = 30.0
    jitter: float = 0.5

    def delay(self, failures: int, chance: float) -> float:
        """Return the seconds to wait after so many *failures* in a row (from 1); *chance* is drawn from [0, 1]."""
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        return float(whole * (1.0 - self.jitter * (1.0 - chance)))
