"""The Sobol sequence, and the search that walks it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import qmc

from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Integer, Normal, Space
from luthier.search.given import Given
from luthier.search.quasirandom import QuasiRandom
from luthier.search.sobol import PAD, Sobol, raw
from luthier.testing.searchers import SearcherContract

GOLDEN = [[0.949602454, 0.090357066], [0.190259713, 0.718681833], [0.578131732, 0.978630239]]
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "decay": Normal(0, 1),
        "model": Categorical(["linear", {"kind": "net", "depth": Integer(1, 8), "act": Categorical(["relu", "tanh"])}]),
        "constant": 3,
    }
)


class TestQuasiRandom(SearcherContract):
    space = MIXED
    adaptive = False

    def make(self):
        return QuasiRandom(MIXED, seed=3)


class TestOnePoint(SearcherContract):
    """A space without an axis has one config."""

    space = Space({"x": 3})
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})

    def make(self):
        return QuasiRandom(self.space)


class TestWide(SearcherContract):
    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})
    adaptive = False

    def make(self):
        return QuasiRandom(self.space)


def test_unscrambled_it_is_the_sequence_that_everybody_has():
    """Scipy walks in the order of Gray's code: its k-th point is ours at k ^ (k >> 1)."""
    theirs = qmc.Sobol(PAD, scramble=False, bits=32).random(256)
    ours = [[raw(k ^ (k >> 1), axis) / 2**32 for axis in range(PAD)] for k in range(256)]
    assert np.array_equal(np.array(ours), theirs)


@pytest.mark.parametrize("seed", [0, 1, 2**63, -5])
def test_each_slice_of_each_axis_has_one_point(seed):
    points = np.array([Sobol(2 * PAD + 3, seed).point(k) for k in range(128)])
    assert points.min() > 0
    assert points.max() < 1
    for column in points.T:
        assert sorted((column * 128).astype(int)) == list(range(128))


@pytest.mark.parametrize("axes", [(0, 1), (0, PAD), (PAD, PAD + 1), (PAD + 1, 2 * PAD)])
def test_pairs_of_axes_are_not_alike(axes):
    points = np.array([Sobol(2 * PAD + 1, 4).point(k) for k in range(512)])[:, axes]
    assert abs(np.corrcoef(points.T)[0, 1]) < 0.15
    cells = {(int(x * 8), int(y * 8)) for x, y in points}
    assert len(cells) > 58  # of 64


def test_it_is_more_even_than_chance():
    ours = qmc.discrepancy(np.array([Sobol(4, 9).point(k) for k in range(256)]))
    random = [qmc.discrepancy(np.random.default_rng(k).random((256, 4))) for k in range(5)]
    assert ours < 0.2 * min(random)


def test_seeds_scramble():
    assert Sobol(3, 1).point(5) != Sobol(3, 2).point(5)
    assert Sobol(3, 1).point(5) == Sobol(3, 1).point(5)


def test_the_first_points_never_change():
    """What a seed means is part of the log's format."""
    assert [[round(u, 9) for u in Sobol(2, 7).point(k)] for k in range(3)] == GOLDEN


def test_points_that_are_given_come_first_and_the_sequence_starts_at_its_start():
    search = QuasiRandom(MIXED, seed=2)
    given = Given([{"lr": 0.01}], MIXED, search)
    assert [given.ask(k, rng_at(0, k)) for k in (1, 2)] == [search.ask(k, rng_at(0, k + 1)) for k in (0, 1)]


def test_whole_numbers_and_choices_come_equally_often():
    search = QuasiRandom({"n": Integer(1, 8), "c": Categorical(range(4))})
    configs = [search.ask(k, rng_at(0, k)) for k in range(64)]
    assert all(sum(config["n"] == n for config in configs) == 8 for n in range(1, 9))
    assert all(sum(config["c"] == c for config in configs) == 16 for c in range(4))


def test_the_sequence_ends_after_four_thousand_million_points():

    assert QuasiRandom({"x": Float(0, 1)}).ask(2**32, rng_at(0)) is Nothing.EXHAUSTED
