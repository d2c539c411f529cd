"""The mean of a series that grows."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENDLESS = float("inf")
_LANES = 8
BLOCK = 128  # numbers up to which numpy adds in lanes; beyond, it halves the series first


class RunningMean:
    """The mean of what was added so far, in constant time for each addition, and what ``numpy.mean`` gives, to the bit.

    Two means that are equal on paper may differ in their last bit by the order of the additions; so that comparisons
    come out as they do for those who use numpy, numbers are added in its order (pairwise summation: Higham, "The
    Accuracy of Floating Point Summation", SIAM J. Sci. Comput. 14(4), 1993).  One exception: a finite mean is never
    below the least number or above the greatest, which rounding alone would bring about; numbers that are all equal
    have that number as their mean.  Beyond 128 numbers, numpy itself adds.

    Attributes:
        numbers: what was added, in order.
        last: the mean of it; NaN at first.

    >>> mean = RunningMean()
    >>> [mean.add(number) for number in (0.1, 0.1, 0.1, 0.9)]
    [0.1, 0.1, 0.1, 0.30000000000000004]
    """

    __slots__ = ("_greatest", "_lanes", "_least", "_sum", "last", "numbers")

    def __init__(self, numbers: Iterable[float] = ()) -> None:
        self.numbers = array("d")
        self._lanes = [0.0] * _LANES
        self._sum = 0.0
        self._least, self._greatest = _ENDLESS, -_ENDLESS
        self.last = float("nan")
        for number in numbers:
            self.add(number)

    def add(self, number: float) -> float:
        """Return the mean of all numbers, *number* among them; NaN and the infinities go by the rules of floats."""
        numbers = self.numbers
        numbers.append(number)
        count = len(numbers)
        if number < self._least:  # noqa: PLR1730 (faster so)
            self._least = number
        if number > self._greatest:  # noqa: PLR1730 (faster so)
            self._greatest = number
        if count > BLOCK:
            self._sum = _added(numbers)
        elif count % _LANES:
            self._sum += number
        else:
            lanes = self._lanes = [x + y for x, y in zip(self._lanes, numbers[-_LANES:], strict=True)]
            a, b, c, d, e, f, g, h = lanes
            self._sum = ((a + b) + (c + d)) + ((e + f) + (g + h))
        mean = self._sum / count
        if mean < self._least and mean > -_ENDLESS:
            mean = self._least
        elif mean > self._greatest and mean < _ENDLESS:
            mean = self._greatest
        self.last = mean
        return mean


def _added(numbers: array[float]) -> float:
    import numpy as np

    with np.errstate(all="ignore"):
        return float(np.add.reduce(np.frombuffer(numbers)))
