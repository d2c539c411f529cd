"""The multiples of a quantum, without the dust of binary fractions."""

from __future__ import annotations

from luthier.core.errors import BadArgument
from luthier.core.space.domain import number

_SLACK = 1e-9  # relative: bounds such as 1/3 are multiples of no decimal quantum but to rounding


class Multiples:
    """The multiples of *q*, a positive number, taken for the decimal it is written as.

    >>> tenths = Multiples("q", 0.1)
    >>> tenths.value(3), 3 * 0.1
    (0.3, 0.30000000000000004)
    """

    __slots__ = ("_denominator", "_numerator", "q")

    def __init__(self, argument: str, q: object) -> None:
        from fractions import Fraction

        self.q = number(argument, q)
        if self.q <= 0:
            raise BadArgument(argument, q, "a number above 0")
        self._numerator, self._denominator = Fraction(repr(self.q)).as_integer_ratio()

    def value(self, k: int) -> float:
        """Return the *k*-th multiple, correctly rounded."""
        return k * self._numerator / self._denominator

    def index(self, value: float) -> int:
        """Return the number of the multiple nearest to *value* (ties to even)."""
        return round(value / self.q)

    def has(self, value: float) -> bool:
        """Whether *value* is a multiple, up to rounding errors."""
        k = value / self.q
        return abs(k - round(k)) <= min(_SLACK * max(1.0, abs(k)), 1e-3)

    def bound(self, argument: str, value: float) -> int:
        """Return which multiple the bound *value* is.

        Raises:
            BadArgument: if it is none.
        """
        if not self.has(value):
            low = self.index(value)
            near = " or ".join(repr(self.value(k)) for k in (low, low + (1 if value > self.value(low) else -1)))
            raise BadArgument(argument, value, f"a multiple of q={self.q!r}, such as {near}")
        return self.index(value)
