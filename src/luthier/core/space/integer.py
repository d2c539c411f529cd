"""Whole numbers between bounds."""

from __future__ import annotations

import math
from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.rng import Rng
from luthier.core.space.domain import Domain, is_number, whole

_UNITS = 1 << 53  # that many floats a generator draws from [0, 1)


class Integer(Domain):
    """The multiples of *q* in [*lower*, *upper*], both inclusive, each equally likely.

    Where *log*, the logarithm is uniform: k is as likely as a real number that is log-uniform is to fall into
    [k, k + 1).  More than 2**52 values are more than a float in [0, 1] can tell apart: drawing then reaches them all
    the same, but the way there and back is only near.

    Args:
        lower: lower bound; above 0 where *log*.
        upper: upper bound, at least *lower*.
        log: whether the scale is logarithmic.
        q: quantum, at least 1.  Bounds that are not multiples of it are moved inwards.

    Raises:
        BadArgument: where one of these does not hold, or where no multiple lies between the bounds.

    >>> [Integer(1, 10, q=3).from_unit(u) for u in (0.0, 0.5, 1.0)]
    [3, 6, 9]
    """

    __slots__ = ("_first", "_start", "_width", "count", "log", "lower", "q", "upper")

    def __init__(self, lower: int, upper: int, log: bool = False, q: int = 1) -> None:  # noqa: FBT001, FBT002
        self.lower, self.upper, self.q = whole("lower", lower), whole("upper", upper), whole("q", q)
        self.log = log
        if self.upper < self.lower:
            raise BadArgument("upper", upper, f"a whole number not below lower={lower!r}")
        if log and self.lower <= 0:
            raise BadArgument("lower", lower, "a whole number above 0", "the scale is logarithmic")
        if self.q <= 0:
            raise BadArgument("q", q, "a whole number above 0")
        self._first = -(-self.lower // self.q)
        self.count = self.upper // self.q - self._first + 1
        if self.count < 1:
            raise BadArgument("q", q, f"a divisor of a number between lower={lower!r} and upper={upper!r}")
        self._start = math.log(self._first) if log else 0.0
        self._width = math.log(self._first + self.count) - self._start if log else 0.0

    def from_unit(self, u: float) -> int:
        """Return the value at *u*, clipped to [0, 1]."""
        u = min(max(u, 0.0), 1.0)
        if self.log:
            k = int(math.exp(self._start + u * self._width)) - self._first
        elif self.count < _UNITS:
            k = int(u * self.count)
        else:
            cell = int(u * _UNITS)  # of equal width; the place within follows from the cell's number
            begin = cell * self.count >> 53
            k = begin + Rng(cell).below(max((cell + 1) * self.count // _UNITS - begin, 1))
        return (self._first + min(max(k, 0), self.count - 1)) * self.q

    def to_unit(self, value: Any) -> float:
        """Return the middle of what leads to *value* in [0, 1]."""
        if not is_number(value):
            raise BadArgumentType("value", value, f"a whole number from {self.lower} to {self.upper}")
        inside = min(max(value, self.lower), self.upper)
        n = int(inside.__index__()) if hasattr(inside, "__index__") else round(float(inside))
        k = min(max((n + self.q // 2) // self.q - self._first, 0), self.count - 1)
        if self.log:
            n = self._first + k
            return ((math.log(n) + math.log(n + 1)) / 2 - self._start) / self._width
        return (k + 0.5) / self.count if self.count < _UNITS else (2 * k + 1) / (2 * self.count)

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            return False
        try:
            n = int(value.__index__())
        except TypeError:  # an array that is no scalar
            return False
        return self.lower <= n <= self.upper and n % self.q == 0

    def _parts(self) -> tuple[object, ...]:
        return (self.lower, self.upper, self.log, self.q)
