from __future__ import annotations

import math

import numpy as np
import pytest

from luthier.plots.chronicle import Trial
from luthier.plots.column import MOST_OPTIONS, column, columns, is_log, telling


def of(*configs):
    return {each.name: each for each in columns([Trial(k, "", "", "done", c, {}) for k, c in enumerate(configs)])}


def test_numbers_keep_their_places_and_nan_is_none():
    found = of({"x": 1}, {"x": 2.5}, {"x": math.nan}, {"x": math.inf}, {})["x"]
    assert found.kind == "linear" and repr(found.places.tolist()) == "[1.0, 2.5, nan, nan, nan]"
    assert found.units[:2].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1e-5, 1e-4, 1e-3, 1e-2], True),
        ([16, 32, 64, 128, 256], True),
        ([1, 2, 3, 4], False),
        ([0, 1, 1000], False),
        ([-1, 1, 1000], False),
        (list(range(1, 101)), False),
        ([5.0], False),
        ([math.nan], False),
    ],
)
def test_axes_are_logarithmic_where_values_lie_so(values, wanted):
    assert is_log(np.array(values, dtype=float)) is wanted
    assert column("x", values).kind == ("log" if wanted else "linear")


def test_units_of_a_logarithmic_axis():
    assert column("x", [1e-4, 1e-3, 1e-2]).units.tolist() == pytest.approx([0, 0.5, 1])


def test_anything_else_is_a_choice():
    found = of({"x": "sgd"}, {"x": None}, {"x": [1, 2]}, {"x": True}, {"x": ""}, {"x": "sgd"}, {})["x"]
    assert found.kind == "category" and found.options == ["''", "None", "True", "[1, 2]", "sgd"]
    assert repr(found.places.tolist()) == "[4.0, 1.0, 3.0, 2.0, 0.0, 4.0, nan]"


def test_options_that_are_numbers_stand_in_their_order():
    assert column("x", ["10", "9", "auto"]).options == ["9", "10", "auto"]


def test_rare_options_share_a_place():
    values = ["a"] * 5 + [f"rare {k}" for k in range(30)]
    found = column("x", values)
    assert len(found.options) == MOST_OPTIONS and found.options[-1] == "12 others" and "a" in found.options
    assert found.places.max() == MOST_OPTIONS - 1


def test_what_varies():
    found = of({"same": 1, "there": 1}, {"same": 1, "there": 1}, {"same": 1})
    assert not found["same"].varies and found["there"].varies  # being there or not is a difference


def test_the_most_telling_come_first():
    rng = np.random.default_rng(0)
    a, b, c = rng.random(300), rng.random(300), rng.choice(["u", "v"], 300)
    values = a + 3.0 * (c == "u")
    found = [column("a", a), column("b", b), column("c", c.tolist()), column("fixed", [1] * 300)]
    assert [each.name for each in telling(found, values, 9)] == ["c", "a", "b"]
    assert [each.name for each in telling(found, values, 1)] == ["c"]
    nothing = np.full(300, np.nan)
    assert [each.name for each in telling(found, nothing, 9)] == ["a", "b", "c"]
