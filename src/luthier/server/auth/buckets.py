"""How often somebody may do something: buckets that drip full again."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Buckets:
    """A bucket of tokens for each name; the *most* names that were used last are known.

    >>> clock = iter([0.0, 0.0, 0.0, 3.0]).__next__
    >>> limit = Buckets(rate=0.5, size=2, clock=clock)
    >>> limit.take("ann"), limit.take("ann"), limit.take("ann"), limit.take("ann")
    (0.0, 0.0, 2.0, 0.0)
    """

    def __init__(
        self, *, rate: float, size: float, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._size, self._most, self._clock = rate, size, most, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Take a token for *name*; return 0, or the seconds until there is one."""
        now, left = self._fill(name)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[name] = (now, left if wait else left - 1)
        self._left.move_to_end(name)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait

    def wait(self, name: str) -> float:
        """Return the seconds until *name* may take a token, without taking it."""
        _, left = self._fill(name)
        return 0.0 if left >= 1 else (1 - left) / self._rate

    def _fill(self, name: str) -> tuple[float, float]:
        now = self._clock()
        since, left = self._left.get(name, (now, self._size))
        return now, min(self._size, left + (now - since) * self._rate)


def address(host: str) -> str:
    """Return whose address *host* is: of IPv6 the network of 64 bits, of which one owner has all addresses.

    >>> address("2001:db8::1:2"), address("192.0.2.7")
    ('2001:db8::/64', '192.0.2.7')
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def retry_after(wait_s: float) -> str:
    """Return *wait_s* as the header ``Retry-After`` has it: whole seconds, one at least."""
    return str(max(1, math.ceil(wait_s)))
