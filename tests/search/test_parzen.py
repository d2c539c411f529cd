"""Densities over a space: what is drawn from them is distributed as they say."""

from __future__ import annotations

import numpy as np
import pytest

from luthier.core.space import Categorical, Float, Integer, Space
from luthier.search.parzen import Parzen, gaps, shape_of, spread

SPACE = Space(
    {
        "x": Float(0, 1),
        "c": Categorical(["a", {"depth": Float(0, 1)}, {"k": Categorical([1, 2, 3])}]),
    }
)
ROWS = np.array(
    [SPACE.encode(c) for c in ({"x": 0.2, "c": "a"}, {"x": 0.9, "c": {"depth": 0.5}}, {"x": 0.4, "c": {"k": 2}})]
)
SHAPE = shape_of(SPACE.axes)


def density(*, own_width):
    return Parzen(SHAPE, ROWS, np.array([1.0, 2.0, 1.0, 0.5]), own_width=own_width)


@pytest.mark.parametrize("own_width", [True, False])
def test_it_sums_to_one(own_width):
    """Over all choices, and over the squares that the numeric axes span: by the midpoint rule."""
    grid = (np.arange(200) + 0.5) / 200
    total = 0.0
    of_c = {option: (option + 0.5) / 3 for option in range(3)}
    column = {axis.name: axis.number for axis in SPACE.axes}
    for option, c in of_c.items():
        for k in (0.5 / 3, 1.5 / 3, 2.5 / 3) if option == 2 else (np.nan,):
            for depth in grid if option == 1 else (np.nan,):
                points = np.full((200, len(SPACE.axes)), np.nan)
                points[:, column["x"]], points[:, column["c"]] = grid, c
                points[:, column["c[1]/depth"]], points[:, column["c[2]/k"]] = depth, k
                weight = 1 / 200 if option == 1 else 1.0
                total += weight * np.exp(density(own_width=own_width).log_density(points)).mean()
    assert total == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("mixing", [0.0, 1.0])
def test_draws_have_the_axes_that_their_choices_bring(mixing):
    points = density(own_width=True).sample(500, np.random.default_rng(3), mixing)
    column = {axis.name: axis.number for axis in SPACE.axes}
    option = np.floor(points[:, column["c"]] * 3)
    assert set(option) == {0, 1, 2}
    assert (np.isnan(points[:, column["c[1]/depth"]]) == (option != 1)).all()
    assert (np.isnan(points[:, column["c[2]/k"]]) == (option != 2)).all()
    numbers = points[~np.isnan(points)]
    assert ((numbers >= 0) & (numbers <= 1)).all()


def test_draws_are_distributed_as_the_density_says():
    """One numeric axis: shares of draws in ten cells, beside the integral of the density over them."""
    shape = shape_of(Space({"x": Float(0, 1)}).axes)
    parzen = Parzen(shape, np.array([[0.1], [0.15], [0.8]]), np.array([1.0, 1.0, 1.0, 0.3]), own_width=True)
    drawn = np.histogram(parzen.sample(40_000, np.random.default_rng(1))[:, 0], 10, (0, 1))[0] / 40_000
    fine = np.exp(parzen.log_density(((np.arange(1000) + 0.5) / 1000)[:, None])).reshape(10, 100).mean(axis=1) / 10
    assert drawn == pytest.approx(fine, abs=0.01)


def test_choices_are_drawn_as_the_density_says():
    shape = shape_of(Space({"c": Categorical(range(4))}).axes)
    parzen = Parzen(shape, np.array([[0.125], [0.125], [0.875]]), np.array([1.0, 1.0, 1.0, 0.5]), own_width=False)
    drawn = np.histogram(parzen.sample(40_000, np.random.default_rng(1))[:, 0], 4, (0, 1))[0] / 40_000
    assert drawn == pytest.approx(np.exp(parzen.log_density(np.array([[0.125], [0.375], [0.625], [0.875]]))), abs=0.01)


def test_gaps_are_to_the_farther_neighbour():
    rows = np.array([[0.5, 0.1], [0.2, np.nan], [0.9, 0.4]])
    widths = gaps(rows, np.zeros(2))
    assert widths[:, 0] == pytest.approx([0.4, 0.3, 0.4])
    assert widths[[0, 2], 1] == pytest.approx([0.3, 0.6])


def test_spread_is_scotts_rule():
    rows = np.random.default_rng(5).normal(0.5, 0.1, (200, 2))
    rows[:150, 1] = np.nan
    widths = spread(rows, np.zeros(2))
    for k, known in enumerate((rows[:, 0], rows[150:, 1])):
        low, high = np.percentile(known, (25, 75))
        wanted = 1.059 * min(known.std(ddof=1), (high - low) / 1.34) * len(known) ** (-1 / 6)
        assert widths[0, k] == pytest.approx(wanted)


def test_cells_are_half_the_width_of_a_value():
    axes = Space({"i": Integer(1, 4), "q": Float(0, 2, q=0.5), "x": Float(0, 1), "l": Integer(1, 9, log=True)}).axes
    assert shape_of(axes).cells == (0.125, 0.125, 0.0, 0.0)
