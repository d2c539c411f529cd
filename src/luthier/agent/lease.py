"""How long an agent that cannot reach the server may go on."""

from __future__ import annotations

import time

_MARGIN_S, _LAST_S = 15.0, 3.0


def clock() -> float:
    """Return seconds that go on while the machine sleeps, as the server's do."""
    which = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if which is None else time.clock_gettime(which)


class Lease:
    """The time for which the server keeps an agent's runs for it, counted from when it was last heard of.

    Args:
        lease_s: seconds that the server waits.
        now: by :func:`clock`.

    >>> lease = Lease(300.0, 0.0)
    >>> lease.expiring(200.0), lease.expiring(286.0), lease.grace(286.0)
    (False, True, 11.0)
    >>> lease.renew(250.0); lease.expiring(286.0)
    False
    """

    def __init__(self, lease_s: float, now: float) -> None:
        self.lease_s, self._from = lease_s, now

    def renew(self, sent: float) -> None:
        """Count anew from *sent*, when a message was sent that was answered."""
        self._from = max(self._from, sent)

    def expiring(self, now: float) -> bool:
        """Whether the runs must end, to be gone when the lease is over."""
        return now >= self.begins

    @property
    def begins(self) -> float:
        """When the runs must begin to end."""
        return self._from + self.lease_s - min(_MARGIN_S, self.lease_s / 3)

    def grace(self, now: float) -> float:
        """Return how many seconds runs have that are asked to end now; none where the time has passed."""
        return max(0.0, self._from + self.lease_s - min(_LAST_S, self.lease_s / 6) - now)
