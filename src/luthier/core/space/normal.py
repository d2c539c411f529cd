"""Normally distributed numbers."""

from __future__ import annotations

import math
from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space.domain import Domain, is_number, number
from luthier.core.space.multiples import Multiples

_LEAST, _MOST = 2.0**-54, 1.0 - 2.0**-53  # what stands for 0 and 1: about 8.2 standard deviations from the mean

# Coefficients of AS241's PPND16, highest power first: numerator and denominator near the middle, further out, in the
# tails.
_MIDDLE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
     1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
     687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_OUTER = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_TAILS = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: float) -> float:
    above = below = 0.0
    for a, b in zip(*coefficients, strict=True):
        above, below = above * x + a, below * x + b
    return above / below


def quantile(p: float) -> float:
    """Return the point below which a standard normal number lies with probability *p*, in (0, 1).

    Algorithm AS241 (Wichura: "The percentage points of the normal distribution", Applied Statistics 37, 1988),
    good to about 1 part in 1e16.

    >>> quantile(0.5), round(quantile(0.975), 6)
    (0.0, 1.959964)
    """
    q = p - 0.5
    if abs(q) <= 0.425:  # noqa: PLR2004 (AS241's SPLIT1)
        return q * _ratio(_MIDDLE, 0.180625 - q * q)
    r = math.sqrt(-math.log(p if q < 0 else 1.0 - p))
    z = _ratio(_OUTER, r - 1.6) if r <= 5.0 else _ratio(_TAILS, r - 5.0)  # noqa: PLR2004 (AS241's SPLIT2)
    return math.copysign(z, q)


class Normal(Domain):
    """Floats without bounds, normally distributed; multiples of *q* where that is given.

    With *log* it is their logarithm that is: they are above 0, though with *q* they may be rounded to it.

    The way to the unit interval and back keeps values within five standard deviations of *mean*; further out the
    upper tail runs out of floats below 1, and values move up to the order of one standard deviation.

    Args:
        mean: the distribution's middle; of the logarithm where *log*.
        sd: its standard deviation, above 0; of the logarithm where *log*.
        q: quantum: draws are rounded to multiples of it.
        log: whether the logarithm is normal.

    Raises:
        BadArgument: where one of these does not hold, or where floats do not reach that far.

    >>> Normal(10.0, 2.0).from_unit(0.5), Normal(0.0, 2.0, log=True).from_unit(0.5)
    (10.0, 1.0)
    """

    __slots__ = ("_multiples", "log", "mean", "q", "sd")

    def __init__(self, mean: float = 0.0, sd: float = 1.0, q: float | None = None, log: bool = False) -> None:  # noqa: FBT001, FBT002
        self.mean, self.sd, self.log = number("mean", mean), number("sd", sd), log
        if self.sd <= 0:
            raise BadArgument("sd", sd, "a number above 0")
        if log and abs(self.mean) + 9 * self.sd > 700:  # noqa: PLR2004 (the logarithm of the greatest float is 709.8)
            raise BadArgument("mean", mean, "less", f"with sd={sd!r} the numbers are beyond all floats")
        self._multiples = None if q is None else Multiples("q", q)
        self.q = None if self._multiples is None else self._multiples.q

    @property
    def endless(self) -> bool:
        """Whether there is no end to the values: there is none."""
        return True

    def from_unit(self, u: float) -> float:
        """Return the value at *u*, clipped to what floats inside (0, 1) can say."""
        value = self.mean + self.sd * quantile(min(max(u, _LEAST), _MOST))
        if self.log:
            value = math.exp(value)
        return value if self._multiples is None else self._multiples.value(self._multiples.index(value))

    def to_unit(self, value: Any) -> float:
        """Return the probability of a value below *value*."""
        if not is_number(value):
            raise BadArgumentType("value", value, "a number")
        x = float(value)
        if self.log:
            x = math.log(x) if x > 0 else -math.inf
        return 0.5 * math.erfc((self.mean - x) / (self.sd * math.sqrt(2.0)))

    def __contains__(self, value: object) -> bool:
        if not is_number(value):
            return False
        x = float(value)  # type: ignore[arg-type]
        if self.log and (x < 0 or (x == 0 and self._multiples is None)):
            return False
        return math.isfinite(x) and (self._multiples is None or self._multiples.has(x))

    def _parts(self) -> tuple[object, ...]:
        return (self.mean, self.sd, self.q, self.log)
