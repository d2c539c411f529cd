"""Goals: metric and mode, made into scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from luthier.core.errors import BadArgument
from luthier.core.goal import WORST, Goal, lookup, number


@pytest.mark.parametrize(
    ("metrics", "path", "found"),
    [
        ({"a": 1}, "a", 1),
        ({"a": 1}, "b", None),
        ({"a": {"b": {"c": 2}}}, "a/b/c", 2),
        ({"a": {"b": 2}}, "a/c", None),
        ({"a": 3}, "a/b", None),
        ({"a/b": 1, "a": {"b": 2}}, "a/b", 1),
        ({"a": {"b": None}}, "a/b", None),
    ],
)
def test_lookup(metrics, path, found):
    assert lookup(metrics, path) == found


class Odd:
    def __float__(self):
        raise TypeError("no")


@pytest.mark.parametrize(
    ("value", "found"),
    [(1, 1.0), (True, 1.0), (2.5, 2.5), (np.float32(0.5), 0.5), (np.array(3), 3.0), ("1", None), (b"1", None),
     (None, None), ([1], None), (np.array([1, 2]), None), (Odd(), None), (1j, None)],
)  # fmt: skip
def test_number(value, found):
    assert number(value) == found and (found is None or type(number(value)) is float)


def test_score_and_value():
    low, high = Goal("loss", "min"), Goal("m/acc", "max")
    assert low.score({"loss": 2}) == 2.0 and high.score({"m": {"acc": 0.5}}) == -0.5
    assert (
        low.score({"loss": np.float64(2)}) == 2.0 and low.score({"x": 1}) is None and low.score({"loss": "2"}) is None
    )
    assert low.value(2.0) == 2.0 and high.value(-0.5) == 0.5
    for goal in (low, Goal("loss", "max")):
        assert goal.score({"loss": math.nan}) == WORST and goal.score({"loss": np.float32("nan")}) == WORST
    assert low.score({"loss": -math.inf}) == -math.inf and Goal("loss", "max").score({"loss": -math.inf}) == WORST


@pytest.mark.parametrize(
    ("metric", "mode", "says"), [("a", "best", "mode='best'"), ("", "min", "metric=''"), (3, "min", "metric=3")]
)
def test_bad_goals(metric: Any, mode, says):
    with pytest.raises(BadArgument, match=says):
        Goal(metric, mode)


def test_an_integer_beyond_all_floats_is_infinite():
    assert (number(10**400), number(-(10**400))) == (float("inf"), float("-inf"))


def test_what_refuses_to_be_a_number_is_none():
    class Evil:
        def __float__(self):
            raise KeyError("no")

    assert number(Evil()) is None
