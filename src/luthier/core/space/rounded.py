"""Numbers rounded to multiples of a quantum, whatever their distribution."""

from __future__ import annotations

import math
from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space.domain import Domain, is_number
from luthier.core.space.multiples import Multiples


class Rounded(Domain):
    """What *inner* draws, rounded to the nearest multiple of *q* (ties to even) that lies between its bounds.

    Unlike ``Float(..., q=q)`` it asks no bound to be a multiple; and what is whole can be of type int.

    Args:
        inner: a domain of floats.
        q: quantum, above 0.
        whole: whether values are ints; *q* must be whole then.

    Raises:
        BadArgument: where one of these does not hold, or where no multiple lies between the bounds.

    >>> from luthier.core.space.float import Float
    >>> [Rounded(Float(1, 100), 10, whole=True).from_unit(u) for u in (0.0, 0.5, 1.0)]
    [10, 50, 100]
    """

    __slots__ = ("_first", "_last", "_multiples", "inner", "q", "whole")

    def __init__(self, inner: Domain, q: float, *, whole: bool = False) -> None:
        self.inner, self.whole, self._multiples = inner, whole, Multiples("q", q)
        self.q = self._multiples.q
        if whole and not self.q.is_integer():
            raise BadArgument("q", q, "a whole number")
        self._first: int | None = None
        self._last: int | None = None
        if inner.endless:
            return
        low, high = float(inner.from_unit(0.0)), float(inner.from_unit(1.0))
        first, last = self._multiples.index(low), self._multiples.index(high)
        self._first = first + (self._multiples.value(first) < low)
        self._last = last - (self._multiples.value(last) > high)
        if self._last < self._first:
            raise BadArgument("q", q, f"less: no multiple of it lies between {low!r} and {high!r}")

    @property
    def endless(self) -> bool:
        """Whether there is no end to the values."""
        return self.inner.endless

    @property
    def count(self) -> float:
        """How many values there are; infinite without bounds."""
        return math.inf if self._first is None or self._last is None else self._last - self._first + 1

    def from_unit(self, u: float) -> float:
        """Return the value at *u*, clipped to [0, 1]."""
        return self._value(self._index(self.inner.from_unit(u)))

    def to_unit(self, value: Any) -> float:
        """Return where the multiple next to *value* lies in [0, 1]."""
        if not is_number(value):
            raise BadArgumentType("value", value, f"a multiple of q={self.q!r}")
        x = float(value)
        if self._first is not None and self._last is not None:
            x = min(max(x, self._multiples.value(self._first)), self._multiples.value(self._last))
        return self.inner.to_unit(self._multiples.value(self._multiples.index(x)) if math.isfinite(x) else x)

    def __contains__(self, value: object) -> bool:
        if not is_number(value) or (self.whole and not hasattr(value, "__index__")):
            return False
        x = float(value)  # type: ignore[arg-type]
        if not math.isfinite(x) or not self._multiples.has(x):
            return False
        k = self._multiples.index(x)
        if self._first is not None and self._last is not None:
            return self._first <= k <= self._last
        return bool(x in self.inner or self._value(self._index(self.inner.from_unit(0.0))) == x)

    def _index(self, value: float) -> int:
        k = self._multiples.index(value)
        if self._first is not None and self._last is not None:
            k = min(max(k, self._first), self._last)
        return k

    def _value(self, k: int) -> float:
        return k * int(self.q) if self.whole else self._multiples.value(k)

    def _parts(self) -> tuple[object, ...]:
        return (self.inner, self.q, self.whole)
