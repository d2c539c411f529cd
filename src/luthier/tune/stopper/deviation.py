"""The standard deviation of a few numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luthier.schedulers.running_mean import BLOCK, RunningMean

if TYPE_CHECKING:
    from collections.abc import Collection


def deviation(numbers: Collection[float]) -> float:
    """Return the standard deviation of *numbers* around their mean (that of a whole population).

    It is what ``numpy.std`` gives, up to the last digit, without what numpy costs; NaN where a number is not finite, or
    there are none.

    >>> deviation([1.0, 2.0, 3.0, 4.0])
    1.118033988749895
    """
    if len(numbers) > BLOCK:
        import numpy as np

        with np.errstate(all="ignore"):
            return float(np.std(np.fromiter(numbers, float, len(numbers))))
    mean = RunningMean(numbers).last
    return math.sqrt(RunningMean((number - mean) * (number - mean) for number in numbers).last)
