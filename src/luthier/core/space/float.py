"""Real numbers between bounds."""

from __future__ import annotations

import math
from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space.domain import Domain, is_number, number
from luthier.core.space.multiples import Multiples


class Float(Domain):
    """Floats in [*lower*, *upper*], uniform, or uniform in the logarithm where *log*.

    With *q* values are rounded to multiples of it, as Ray Tune does: the two ends are drawn half as often as the
    multiples between them (where the scale is not logarithmic).

    Args:
        lower: lower bound, finite; above 0 where *log*.
        upper: upper bound, finite; above *lower*.
        log: whether the scale is logarithmic.  No base is needed: the distribution is the same for each.
        q: quantum; both bounds must be multiples of it.

    Raises:
        BadArgument: where one of these does not hold.

    >>> Float(0.0, 10.0, q=0.5).from_unit(0.33)
    3.5
    >>> Float(1.0, 100.0, log=True).to_unit(10.0)
    0.5
    """

    __slots__ = ("_first", "_last", "_multiples", "_start", "_width", "log", "lower", "q", "upper")

    def __init__(self, lower: float, upper: float, log: bool = False, q: float | None = None) -> None:  # noqa: FBT001, FBT002
        self.lower, self.upper, self.log = number("lower", lower), number("upper", upper), log
        if self.upper <= self.lower:
            raise BadArgument("upper", upper, f"a number above lower={lower!r}")
        if log and self.lower <= 0:
            raise BadArgument("lower", lower, "a number above 0", "the scale is logarithmic")
        self._start = math.log(self.lower) if log else self.lower
        self._width = (math.log(self.upper) if log else self.upper) - self._start
        if self._width == math.inf:
            raise BadArgument("upper", upper, "bounds less than 1.8e308 apart")
        self._multiples: Multiples | None = None
        self.q: float | None = None
        if q is not None:
            self._multiples = Multiples("q", q)
            self.q = self._multiples.q
            self._first = self._multiples.bound("lower", self.lower)
            self._last = self._multiples.bound("upper", self.upper)

    def from_unit(self, u: float) -> float:
        """Return the value at *u*, clipped to [0, 1]."""
        value = self._start + u * self._width
        if self.log:
            value = math.exp(value) if u < 1.0 else self.upper
        if self._multiples is not None:
            k = self._multiples.index(min(max(value, self.lower), self.upper))
            value = self._multiples.value(min(max(k, self._first), self._last))
        if value < self.lower:
            return self.lower
        return min(value, self.upper)

    def to_unit(self, value: Any) -> float:
        """Return where *value* lies in [0, 1]."""
        if not is_number(value):
            raise BadArgumentType("value", value, f"a number between {self.lower!r} and {self.upper!r}")
        inside = min(max(float(value), self.lower), self.upper)
        u = ((math.log(inside) if self.log else inside) - self._start) / self._width
        return min(max(u, 0.0), 1.0)

    def __contains__(self, value: object) -> bool:
        if not is_number(value):
            return False
        x = float(value)  # type: ignore[arg-type]
        return self.lower <= x <= self.upper and (self._multiples is None or self._multiples.has(x))

    def _parts(self) -> tuple[object, ...]:
        return (self.lower, self.upper, self.log, self.q)
