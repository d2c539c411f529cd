"""What becomes of a config; that it is what Ray makes of it is shown in tests/differential."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from luthier.core.errors import BadArgument
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Function, Grid, Integer
from luthier.schedulers.explore import Mutations, drawn


def explored(mutations, config, seed=0, **arguments):
    trial = SimpleNamespace(config=config)
    explore: Any = Mutations(mutations, **arguments)
    return explore(trial, trial, None, rng_at(seed))


def all_explored(mutations, config, **arguments):
    return [explored(mutations, config, seed, **arguments) for seed in range(200)]


def test_it_is_a_function_of_the_place():
    mutations = {"a": Float(0, 1), "b": [1, 2, 3], "c": Function(lambda: 3)}
    config = {"a": 0.5, "b": 2, "c": 1, "rest": [1]}
    assert [explored(mutations, config, s) for s in range(50)] == [explored(mutations, config, s) for s in range(50)]
    assert len({repr(explored(mutations, config, s)) for s in range(50)}) > 10


def test_the_source_stays_as_it_is():
    config = {"net": {"lr": 0.5, "layers": [1, 2]}}

    def spoil(config, rng):
        config["net"]["layers"].append(3)
        return config

    for new, _ in all_explored({"net": {"lr": Float(0, 1)}}, config, custom=spoil):
        assert new["net"]["layers"] == [1, 2, 3] and new["net"]["lr"] != 0.5
    assert config == {"net": {"lr": 0.5, "layers": [1, 2]}}


def test_a_number_is_not_clipped_and_keeps_its_type():
    found = all_explored({"a": Float(0.0, 1.0)}, {"a": 0.9}, resample_probability=0)
    assert {new["a"] for new, _ in found} == {0.9 * 1.2, 0.9 * 0.8}
    found = all_explored({"a": Integer(1, 9)}, {"a": 7}, resample_probability=0)
    assert {(new["a"], type(new["a"])) for new, _ in found} == {(8, int), (6, int)}
    found = all_explored({"a": Categorical([True, False])}, {"a": True}, resample_probability=0)
    assert {new["a"] for new, _ in found} == {True}


def test_resampling_comes_from_the_distribution():
    found = all_explored({"a": Float(0.0, 1.0), "b": Integer(0, 3)}, {"a": 9.0, "b": 99}, resample_probability=1)
    assert all(0 <= new["a"] <= 1 and new["b"] in range(4) for new, _ in found)
    assert {o["a"] for _, o in found} == {"resample"}
    share = sum(o["a"] == "resample" for _, o in all_explored({"a": Float(0, 1)}, {"a": 0.5})) / 200
    assert 0.15 < share < 0.35


def test_options_that_are_no_numbers_go_to_their_neighbours():
    found = all_explored({"a": Categorical(["x", "y", "z"])}, {"a": "y"}, resample_probability=0)
    assert {(new["a"], operations["a"]) for new, operations in found} == {("x", "shift left"), ("z", "shift right")}


def test_what_is_no_number_stays_unless_resampled():
    found = all_explored({"a": Function(lambda: "new")}, {"a": None}, resample_probability=0.5)
    assert {(new["a"], operations["a"]) for new, operations in found} == {(None, "kept"), ("new", "resample")}


def test_options_that_are_containers_or_nan():
    nan = float("nan")
    found = all_explored({"a": [[1], [2], nan]}, {"a": [2]}, resample_probability=0)
    assert {repr(new["a"]) for new, _ in found} == {"[1]", "nan"}
    found = all_explored({"a": [[1], nan]}, {"a": nan}, resample_probability=0)
    assert {repr(new["a"]) for new, _ in found} == {"[1]", "nan"}


def test_a_conditional_choice_is_drawn_whole():
    mutation = Categorical([{"name": "sgd", "momentum": Float(0.5, 0.9)}, {"name": "adam"}])
    found = [drawn(mutation, rng_at(seed)) for seed in range(30)]
    assert {frozenset(value) for value in found} == {frozenset({"name", "momentum"}), frozenset({"name"})}


def test_chance_of_one_hyperparameter_is_not_that_of_another():
    found = all_explored({"a": Float(0, 1), "b": Float(0, 1)}, {"a": 1.0, "b": 1.0}, resample_probability=1)
    assert not any(new["a"] == new["b"] for new, _ in found)
    assert len({new["a"] for new, _ in found}) == 200


@pytest.mark.parametrize(
    ("mutations", "named"),
    [
        ({}, "hyperparam_mutations={} cannot be used: there is nothing to explore"),
        ([("a", [1])], "hyperparam_mutations="),
        ({"a": []}, r"hyperparam_mutations\['a'\]=\[\]"),
        ({"a": {}}, r"hyperparam_mutations\['a'\]={}"),
        ({"a": {"b": 3}}, r"hyperparam_mutations\['a'\]\['b'\]=3"),
        ({"a": "text"}, r"hyperparam_mutations\['a'\]='text'"),
        ({"a": Grid([1])}, "a grid cannot be drawn from"),
    ],
)
def test_bad_mutations_are_named(mutations, named):
    with pytest.raises(BadArgument, match=named):
        Mutations(mutations)


@pytest.mark.parametrize(
    ("argument", "value", "named"),
    [
        ("resample_probability", 1.5, "resample_probability=1.5"),
        ("factors", (), "perturbation_factors="),
        ("factors", "12", "perturbation_factors='12'"),
        ("factors", (1.2, 0), "perturbation_factors="),
        ("factors", (1.2, "x"), "perturbation_factors='x'"),
        ("factors", 3, "perturbation_factors=3"),
    ],
)
def test_bad_numbers_are_named(argument, value, named):
    with pytest.raises(BadArgument, match=named):
        Mutations({"a": [1]}, **{argument: value})


def test_a_config_that_does_not_fit_is_explained():
    with pytest.raises(BadArgument, match=r"net/lr=.* a config that holds it"):
        explored({"net": {"lr": [1]}}, {"net": {}})
    with pytest.raises(BadArgument, match=r"net=3 .*a dict, as in hyperparam_mutations"):
        explored({"net": {"lr": [1]}}, {"net": 3})
    with pytest.raises(BadArgument, match="what custom_explore_fn returned=None"):
        explored({"a": [1]}, {"a": 1}, custom=lambda config, rng: None)
