"""Randomness as a function of position: the numbers are part of the format."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.rng import Rng, rng_at

# What a log means by its seed. A change here makes old experiments unrepeatable: it needs a new format number.
GOLDEN = {
    (0,): (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x6C45D188009454F),
    (7, 0, 0): (0xD4D0A00861952416, 0xA8D98FA2B2FAC860, 0x636E6471BB68DA62),
    (7, 0, 1): (0xEFA2AFC0877BEFD6, 0xB6D28EE6478CE8F5, 0xA27FD88F6DD37823),
    (7, 1, 0): (0xA049213C98C12DEF, 0xD4D32C796A526136, 0xF872271F67D17A59),
    (7, 0, 0, 4): (0xB84B5953FCF11EEA, 0x32AB7241720DB85A, 0x286766C2F0E1D203),
    (-1, 2, 3): (0x199B7C48D2B1C55B, 0xCC55C9787CB86D72, 0xE5713A9C7708EAED),
    (2**64 + 5, 10**12, 3): (0xA15939DF49DB51AD, 0xC90CFC7B66DD7A98, 0x58CA1824E0A081C3),
}
PLACES = st.lists(st.integers(-(2**70), 2**70), max_size=4)


@pytest.mark.parametrize("place", GOLDEN)
def test_first_draws(place):
    rng = rng_at(*place)
    assert (rng.bits(), rng.bits(), rng.bits()) == GOLDEN[place]


def test_other_draws():
    assert rng_at(7, 0, 0).random() == 0.83130836681956
    assert rng_at(7, 0, 0).below(1000) == 831
    assert rng_at(7, 0, 0).seed32() == 1621831011
    assert rng_at(7, 0, 0).split(9, 1).bits() == 0x780936F828598371
    assert rng_at(7, 0, 0).below(2**70) == rng_at(7, 0, 0).below(2**70)


@given(st.integers(), PLACES, PLACES)
def test_split_is_a_longer_place(seed, place, more):
    rng = rng_at(seed, *place)
    rng.random()  # what was drawn does not matter
    assert rng.split(*more).bits() == rng_at(seed, *place, *more).bits()


@given(st.integers(), st.integers(1, 2**80))
def test_bounds(seed, n):
    rng = rng_at(seed)
    for _ in range(20):
        assert 0 <= rng.below(n) < n
        assert 0.0 <= rng.random() < 1.0
        assert -3.0 <= rng.uniform(-3.0, 5.0) <= 5.0


@pytest.mark.parametrize("n", [0, -1])
def test_below_nothing(n):
    with pytest.raises(ValueError, match=f"below\\({n}\\)"):
        rng_at(0).below(n)


def chi_square(counts: list[int]) -> float:
    mean = sum(counts) / len(counts)
    return sum((count - mean) ** 2 for count in counts) / mean


ONE = rng_at(3)

# 64 cells, 63 degrees of freedom: above 120 once in 20 000 times.
STREAMS = {
    "one generator": lambda i: ONE.random(),
    "neighbouring positions": lambda i: rng_at(3, 0, i).random(),
    "neighbouring streams": lambda i: rng_at(3, i, 0).random(),
    "neighbouring seeds": lambda i: rng_at(i, 0, 0).random(),
    "neighbouring splits": lambda i: ONE.split(i).random(),
}


@pytest.mark.parametrize("name", STREAMS)
def test_uniform(name):
    values = [STREAMS[name](i) for i in range(20_000)]
    counts = [0] * 64
    for value in values:
        counts[int(value * 64)] += 1
    assert chi_square(counts) < 120
    pairs = [0] * 64  # and what follows does not depend on what went before
    for a, b in zip(values[::2], values[1::2], strict=True):
        pairs[int(a * 8) * 8 + int(b * 8)] += 1
    assert chi_square(pairs) < 120


def test_the_order_of_a_place_matters():
    firsts = {rng_at(a, b, c).bits() for a in range(8) for b in range(8) for c in range(8)}
    assert len(firsts) == 512


def test_normal():
    rng = rng_at(5)
    values = [rng.normal(10.0, 2.0) for _ in range(20_000)]
    assert abs(np.mean(values) - 10.0) < 0.06 and abs(np.std(values) - 2.0) < 0.05


def test_below_is_even_for_large_numbers():
    rng, n = rng_at(11), 3 * 2**62
    counts = [0, 0, 0]
    for _ in range(9_000):
        counts[rng.below(n) >> 62] += 1
    assert chi_square(counts) < 20


def test_choice_and_shuffle():
    rng = rng_at(1)
    assert {rng.choice("abc") for _ in range(100)} == set("abc")
    orders = set()
    for _ in range(200):
        items = [1, 2, 3]
        rng.shuffle(items)
        orders.add(tuple(items))
    assert len(orders) == 6


def test_numpy_belongs_to_the_place():
    a, b = rng_at(7, 1).numpy(), rng_at(7, 2).numpy()
    x = a.random(4)
    assert np.array_equal(x, rng_at(7, 1).numpy().random(4)) and not np.array_equal(x, b.random(4))


def test_nothing_global_is_touched():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 (the global generator is the point)
    before = random.getstate(), np.random.get_state()[1].sum()  # noqa: NPY002
    Rng(5).normal()
    rng_at(5).numpy().random()
    assert (random.getstate(), np.random.get_state()[1].sum()) == before  # noqa: NPY002
    assert math.isfinite(Rng(0).random())
