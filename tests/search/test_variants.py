"""Grid and random search: which trial is which."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import BadArgument
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Grid, Integer, Space
from luthier.search.given import Given
from luthier.search.registry import SEARCHERS
from luthier.search.variants import Variants

NEWS: Any = "news"
NOBODY: Any = None
SPACE = {"a": Grid([1, 2]), "b": Integer(0, 2), "c": Grid("xyz"[i] for i in range(3)), "r": Float(0, 1)}


def walk(searcher, limit=100):
    configs: list[dict[str, Any]] = []
    while (config := searcher.ask(len(configs), rng_at(7, len(configs)))) is not Nothing.EXHAUSTED and len(
        configs
    ) < limit:
        configs.append(config)
    return configs


def test_the_grid_num_samples_times():
    searcher = Variants(SPACE, num_samples=2)
    configs = walk(searcher)
    assert searcher.total == len(configs) == 12
    assert [(c["a"], c["c"]) for c in configs] == [(a, c) for _ in range(2) for c in "xyz" for a in (1, 2)]
    assert len({c["r"] for c in configs}) == 12


def test_constant_grid_search():
    configs = walk(Variants(SPACE, 2, constant_grid_search=True, seed=3))
    assert [(c["a"], c["c"]) for c in configs] == [(c["a"], c["c"]) for c in walk(Variants(SPACE, 2))]
    assert len({c["r"] for c in configs[:6]}) == len({c["r"] for c in configs[6:]}) == 1
    assert configs[0]["r"] != configs[6]["r"] != walk(Variants(SPACE, 2, constant_grid_search=True, seed=4))[6]["r"]


def test_presets_take_the_place_of_samples():
    presets: list[dict[str, Any]] = [{"a": 2, "c": "y", "b": 2, "r": 0.5}, {"a": 1}, {"b": 2}]
    searcher = Variants(SPACE, 4, presets)
    configs = walk(searcher)
    assert searcher.total == len(configs) == 1 + 3 + 6 + 6
    assert configs[0] == presets[0]
    assert [(c["a"], c["c"]) for c in configs[1:4]] == [(1, c) for c in "xyz"]
    assert all(c["b"] == 2 for c in configs[4:10])
    assert [(c["a"], c["c"]) for c in configs[4:10]] == [(c["a"], c["c"]) for c in configs[10:]]


def test_presets_beyond_num_samples_are_tried():
    assert Variants({"x": Float(0, 1)}, 1, [{"x": 0.25}, {"x": 0.5}, {}]).total == 3


def test_no_end():
    searcher = Variants(SPACE, -1, [{"a": 1, "c": "x"}])
    assert searcher.total is None
    assert searcher.ask(1 + 6 * 10**9 + 2, rng_at(1))["c"] == "y"
    assert searcher.place(0) == (0, 0) and searcher.place(1 + 6 * 10**9 + 2) == (10**9 + 1, 2)


def test_one_empty_config():
    assert walk(Variants({}, 3)) == [{}, {}, {}]


@given(
    st.integers(1, 4),
    st.lists(st.sampled_from([{"a": 1}, {"b": 1}, {"c": "x"}, {}]), max_size=4),
    st.booleans(),
    st.data(),
)
def test_any_number_at_any_time(num_samples, presets, constant, data):
    searcher = Variants(SPACE, num_samples, presets, constant)
    configs = walk(searcher)
    assert len(configs) == searcher.total
    for n in data.draw(st.permutations(range(len(configs)))):
        searcher.tell(NEWS, NOBODY)
        assert searcher.ask(n, rng_at(7, n)) == configs[n]
    assert searcher.ask(len(configs), rng_at(7)) is searcher.ask(10**9, rng_at(7)) is Nothing.EXHAUSTED


@pytest.mark.parametrize("num_samples", [0, -2, 1.5, None, True, "3"])
def test_bad_num_samples(num_samples):
    with pytest.raises(BadArgument, match=f"^num_samples={num_samples!r} .*-1 for no end"):
        Variants({}, num_samples)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([{"a": 1}, {"z": 1}], r"points_to_evaluate\[1\]\['z'\]"),
        ([3], r"points_to_evaluate\[0\]=3"),
        ({"a": 1}, "a list"),
        (3, "a list"),
    ],
)
def test_bad_presets(points, words):
    with pytest.raises(BadArgument, match=words):
        Variants(SPACE, 1, points)


def test_presets_out_of_bounds():
    with pytest.warns(UserWarning, match=r"points_to_evaluate\[0\]\['r'\]=7"):
        searcher = Variants(SPACE, 1, [{"r": 7}])
    assert searcher.ask(0, rng_at(1))["r"] == 7


class Heard:
    def __init__(self):
        self.news = []

    def ask(self, number, rng):
        return {"number": number}

    def tell(self, news, experiment):
        self.news.append(news)


def test_given_points_go_first():
    inner = Heard()
    searcher = Given([{"a": 1}, {"b": 2}], Space({"a": Categorical([1, 2]), "b": Integer(0, 9)}), inner)
    first, second = searcher.ask(0, rng_at(7, 0)), searcher.ask(1, rng_at(7, 1))
    assert first["a"] == 1 and second["b"] == 2 and first.keys() == second.keys() == {"a", "b"}
    assert searcher.ask(2, rng_at(7, 2)) == {"number": 0} and searcher.ask(0, rng_at(7, 0)) == first
    searcher.tell(NEWS, NOBODY)
    assert inner.news == ["news"]


def test_given_points_alone():
    searcher = Given([{"a": 1}], Space({"a": 1}))
    searcher.tell(NEWS, NOBODY)
    assert searcher.ask(1, rng_at(7)) is Nothing.EXHAUSTED


@pytest.mark.parametrize("name", SEARCHERS)
def test_registered_searchers_are_there(name):
    import importlib

    module, _, searcher = SEARCHERS[name].partition(":")
    assert getattr(importlib.import_module(module), searcher)({"a": 1}).ask(0, rng_at(0)) == {"a": 1}
