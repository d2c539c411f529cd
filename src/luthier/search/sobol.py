"""Points that fill a cube evenly: the sequence of Sobol, scrambled.

Sobol: "On the distribution of points in a cube and the approximate evaluation of integrals", 1967, with the direction
numbers of Joe, Kuo: "Constructing Sobol Sequences with Better Two-Dimensional Projections", SIAM Journal on Scientific
Computing 30, 2008 (their table new-joe-kuo-6).  The digits are scrambled by the hash of Burley: "Practical Hash-Based
Owen Scrambling", Journal of Computer Graphics Techniques 9 (4), 2020, section 3; as there (section 4), axes beyond the
table's are further sequences of the same kind whose points come in other orders.
"""

from __future__ import annotations

from functools import cache

from luthier.core.rng import rng_at

_BITS, _MASK = 32, 0xFFFFFFFF
# (polynomial over GF(2), first direction numbers) of the second axis, the third, ...; the first is van der Corput's.
_TABLE = (
    (3, (1,)), (7, (1, 3)), (11, (1, 3, 1)), (13, (1, 1, 1)), (19, (1, 1, 3, 3)), (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)), (41, (1, 1, 5, 5, 5)), (47, (1, 1, 7, 11, 19)), (55, (1, 1, 5, 1, 1)),
    (59, (1, 1, 1, 3, 11)), (61, (1, 3, 5, 5, 31)), (67, (1, 3, 3, 9, 7, 49)), (91, (1, 1, 1, 15, 21, 21)),
    (97, (1, 3, 1, 13, 27, 49)), (103, (1, 1, 1, 15, 7, 5)), (109, (1, 3, 1, 15, 13, 25)),
    (115, (1, 1, 5, 5, 19, 61)), (131, (1, 3, 7, 11, 23, 15, 103)), (137, (1, 3, 7, 13, 13, 15, 69)),
    (143, (1, 1, 3, 13, 7, 35, 63)), (145, (1, 3, 5, 9, 1, 25, 53)), (157, (1, 3, 1, 13, 9, 35, 107)),
    (167, (1, 3, 1, 5, 27, 61, 31)), (171, (1, 1, 5, 11, 19, 41, 61)), (185, (1, 3, 5, 3, 3, 13, 69)),
    (191, (1, 1, 7, 13, 1, 19, 1)), (193, (1, 3, 7, 5, 13, 19, 59)), (203, (1, 1, 3, 9, 25, 29, 41)),
    (211, (1, 3, 5, 13, 23, 1, 55)), (213, (1, 3, 7, 3, 13, 59, 17)), (229, (1, 3, 1, 3, 5, 53, 69)),
    (239, (1, 1, 5, 5, 23, 33, 13)), (241, (1, 1, 7, 7, 1, 61, 123)), (247, (1, 1, 7, 9, 13, 61, 49)),
    (253, (1, 3, 3, 5, 3, 55, 33)), (285, (1, 3, 1, 15, 31, 13, 49, 245)), (299, (1, 3, 5, 15, 31, 59, 63, 97)),
    (301, (1, 3, 1, 11, 11, 11, 77, 249)),
)  # fmt: skip
PAD = len(_TABLE) + 1  # axes of one sequence


class Sobol:
    """A scrambled sequence of *d* axes.

    Args:
        d: how many axes.
        seed: of the scrambling: two seeds give unlike points that fill the cube as evenly.

    >>> points = [Sobol(1, seed=3).point(k)[0] for k in range(4)]
    >>> sorted(int(4 * u) for u in points)
    [0, 1, 2, 3]
    """

    __slots__ = ("_orders", "_scrambles", "d", "seed")

    def __init__(self, d: int, seed: int = 0) -> None:
        self.d, self.seed = d, seed
        self._scrambles = [rng_at(seed, k).bits() & _MASK for k in range(d)]
        self._orders = [rng_at(seed, -1, k).bits() & _MASK for k in range(-(-d // PAD))]

    def point(self, index: int) -> list[float]:
        """Return the *index*-th point, from 0 to 2**32 - 1: *d* numbers, above 0 and below 1.

        The first 2**m points have one in each of 2**m equal slices of every axis.
        """
        found: list[float] = []
        for block, order in enumerate(self._orders):
            place = index & _MASK if block == 0 else _scrambled(index & _MASK, order)
            for axis in range(min(PAD, self.d - block * PAD)):
                bits = raw(place, axis)
                found.append((_scrambled(bits, self._scrambles[len(found)]) + 0.5) / 2**_BITS)
        return found


def raw(index: int, axis: int) -> int:
    """Return the *index*-th number of *axis* as 32 binary digits, before any scrambling.

    >>> [raw(k, 0) >> 29 for k in range(4)]
    [0, 4, 2, 6]
    """
    bits = 0
    for number in directions(axis):
        if not index:
            break
        if index & 1:
            bits ^= number
        index >>= 1
    return bits


@cache
def directions(axis: int) -> tuple[int, ...]:
    """Return the 32 direction numbers of *axis*, below :data:`PAD`: Joe, Kuo, equations 2 and 3."""
    if axis == 0:
        return tuple(1 << (_BITS - 1 - k) for k in range(_BITS))
    polynomial, first = _TABLE[axis - 1]
    degree = len(first)
    m = list(first)
    for k in range(degree, _BITS):
        new = m[k - degree] ^ (m[k - degree] << degree)
        for i in range(1, degree):
            if polynomial >> (degree - i) & 1:
                new ^= m[k - i] << i
        m.append(new)
    return tuple(number << (_BITS - 1 - k) for k, number in enumerate(m))


def _scrambled(bits: int, seed: int) -> int:
    """Return *bits* with each digit flipped or not, by the digits above it and *seed*: nested uniform scrambling."""
    x = _reversed(bits)
    x = (x + seed) & _MASK
    for factor in (0x6C50B47C, 0xB82F1E52, 0xC7AFE638, 0x8D22F6E6):  # even, so that only lower digits have a say
        x ^= (x * factor) & _MASK
    return _reversed(x)


def _reversed(bits: int) -> int:
    bits = (bits >> 16) | (bits << 16) & _MASK
    bits = (bits & 0xFF00FF00) >> 8 | (bits & 0x00FF00FF) << 8
    bits = (bits & 0xF0F0F0F0) >> 4 | (bits & 0x0F0F0F0F) << 4
    bits = (bits & 0xCCCCCCCC) >> 2 | (bits & 0x33333333) << 2
    return (bits & 0xAAAAAAAA) >> 1 | (bits & 0x55555555) << 1
