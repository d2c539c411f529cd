"""Numbers between 0 and 1, distributed as somebody's share."""

from __future__ import annotations

from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space.domain import Domain, is_number, number

_LEAST = 2.0**-54  # below it, scipy has no answer for some shapes


class Beta(Domain):
    """Floats in [0, 1] with the beta distribution.

    Where a tail holds less than what floats in [0, 1] can say, the way there and back moves values in it.

    Args:
        a: first shape, above 0: the greater, the more lies near 1.
        b: second shape, above 0: the greater, the more lies near 0.

    Raises:
        BadArgument: where one of these does not hold.

    >>> Beta(2.0, 2.0).from_unit(0.5), Beta(1.0, 3.0).from_unit(0.5) < 0.5
    (0.5, True)
    """

    __slots__ = ("a", "b")

    def __init__(self, a: float = 1.0, b: float = 1.0) -> None:
        self.a, self.b = number("a", a), number("b", b)
        for name, shape in (("a", a), ("b", b)):
            if shape <= 0:
                raise BadArgument(name, shape, "a number above 0")

    def from_unit(self, u: float) -> float:
        """Return the value at *u*, clipped to [0, 1]."""
        from scipy.special import betaincinv

        if u < _LEAST:
            return 0.0
        return float(betaincinv(self.a, self.b, min(u, 1.0)))

    def to_unit(self, value: Any) -> float:
        """Return the probability of a value below *value*."""
        from scipy.special import betainc

        if not is_number(value):
            raise BadArgumentType("value", value, "a number between 0 and 1")
        return float(betainc(self.a, self.b, min(max(float(value), 0.0), 1.0)))

    def __contains__(self, value: object) -> bool:
        return is_number(value) and 0.0 <= float(value) <= 1.0  # type: ignore[arg-type]

    def _parts(self) -> tuple[object, ...]:
        return (self.a, self.b)
