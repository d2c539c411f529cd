"""Randomness as a function of position.

No generator is carried along: whoever needs a random choice asks for the generator that belongs to the place
(seed, stream, position) of the choice.  The same seed therefore gives the same configs whatever the concurrency
or the number of restarts.

The stream is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014),
its start is the place run through the same finaliser.  Both are part of the log's format: a golden test fixes them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

    import numpy as np

T = TypeVar("T")

_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_TO_UNIT = 2.0**-53


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


class Rng:
    """A small random generator that belongs to one place.

    It offers what policies need in pure Python, cheaply (creating one costs well under a microsecond), and
    :meth:`numpy` for those that draw arrays.

    >>> rng_at(7, 0, 3).random() == rng_at(7, 0, 3).random()
    True
    """

    __slots__ = ("_key", "_state")

    def __init__(self, key: int) -> None:
        self._key = key & _MASK
        self._state = self._key

    def bits(self) -> int:
        """Return 64 random bits as an integer in [0, 2**64)."""
        self._state = (self._state + _GOLDEN) & _MASK
        return _mix(self._state)

    def random(self) -> float:
        """Return a float, uniform in [0, 1)."""
        return (self.bits() >> 11) * _TO_UNIT

    def uniform(self, low: float, high: float) -> float:
        """Return a float, uniform in [low, high)."""
        return low + self.random() * (high - low)

    def below(self, n: int) -> int:
        """Return an integer, uniform in [0, n); ``n`` must be at least 1."""
        if n < 1:
            msg = f"below({n}): n must be at least 1"
            raise ValueError(msg)
        if n > 1 << 32:  # rejection keeps it exact where the multiplication below would lose bits
            k = n.bit_length()
            while True:
                value = self.bits()
                for _ in range((k - 1) // 64):
                    value = (value << 64) | self.bits()
                value &= (1 << k) - 1
                if value < n:
                    return value
        return (self.bits() * n) >> 64

    def choice(self, options: Sequence[T]) -> T:
        """Return one of *options*, each equally likely."""
        return options[self.below(len(options))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Shuffle *items* in place (Fisher and Yates)."""
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]

    def normal(self, mean: float = 0.0, sd: float = 1.0) -> float:
        """Return a float, normally distributed (Box and Muller, one of the pair)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        return mean + sd * radius * math.cos(2.0 * math.pi * self.random())

    def split(self, *place: int) -> Rng:
        """Return the generator of a place below this one; what this one has drawn so far does not matter."""
        return Rng(_descend(self._key, place))

    def numpy(self) -> np.random.Generator:
        """Return a numpy generator that belongs to the same place (Philox keyed by it)."""
        import numpy as np

        return np.random.Generator(np.random.Philox(key=self._key))

    def seed32(self) -> int:
        """Return a 32-bit seed of this place, for libraries that want an integer."""
        return _mix(self._key ^ _GOLDEN) >> 32


def _descend(key: int, place: tuple[int, ...]) -> int:
    for p in place:  # times 3: or the keys of places would be the numbers that the generator above them draws
        key = _mix((key * 3 + (p + 1) * _GOLDEN) & _MASK)
    return key


def rng_at(seed: int, *place: int) -> Rng:
    """Return the generator that belongs to *place* under *seed* (any integers; a place has any depth)."""
    return Rng(_descend(_mix((seed ^ (seed >> 64)) & _MASK), place))
