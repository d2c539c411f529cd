"""Numbers that lie a step apart, from anywhere on."""

from __future__ import annotations

from typing import Any

from luthier.core.errors import BadArgumentType
from luthier.core.space import Domain
from luthier.core.space.domain import is_number


class Stepped(Domain):
    """*lower*, *lower* + *step* and so on up to *upper*, each equally likely.

    Args:
        lower: the first number.
        upper: none is greater.
        step: the distance, above 0.
        integer: whether they are whole numbers.

    >>> [Stepped(1, 9, 3).from_unit(u) for u in (0.0, 0.5, 1.0)]
    [1.0, 4.0, 7.0]
    """

    __slots__ = ("count", "integer", "lower", "step", "upper")

    def __init__(self, lower: float, upper: float, step: float, *, integer: bool = False) -> None:
        from fractions import Fraction

        self.lower, self.upper, self.step, self.integer = lower, upper, step, integer
        self.count = int((Fraction(repr(upper)) - Fraction(repr(lower))) / Fraction(repr(step))) + 1

    def from_unit(self, u: float) -> Any:
        """Return the number at *u*, clipped to [0, 1]."""
        from fractions import Fraction

        k = min(max(int(u * self.count), 0), self.count - 1)
        value = Fraction(repr(self.lower)) + k * Fraction(repr(self.step))
        return int(value) if self.integer else float(value)

    def to_unit(self, value: Any) -> float:
        """Return the middle of what leads to the number next to *value*."""
        if not is_number(value):
            raise BadArgumentType("value", value, f"a number between {self.lower!r} and {self.upper!r}")
        k = round((float(value) - self.lower) / self.step)
        return (min(max(k, 0), self.count - 1) + 0.5) / self.count

    def __contains__(self, value: object) -> bool:
        return is_number(value) and abs(self.from_unit(self.to_unit(value)) - float(value)) <= 1e-9 * self.step  # type: ignore[arg-type]

    def _parts(self) -> tuple[object, ...]:
        return (self.lower, self.upper, self.step, self.integer)
