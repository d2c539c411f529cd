"""Parameters of sweep files as search spaces: against W&B's engine, and by laws.

The engine's answers are in ``tests/differential/golden/sweeps.json``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from luthier.core.errors import BadSweep
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Domain, Float, Grid, Integer, Normal, Rounded, Space, Weighted, same
from luthier.search.variants import Variants
from luthier.sweeps.parameters import steps
from luthier.sweeps.read import read

GOLDEN = json.loads((Path(__file__).parents[1] / "differential" / "golden" / "sweeps.json").read_text("utf-8"))


def space_of(parameters: dict[str, Any], method: str = "random") -> Space:
    return Space(read({"method": method, "parameters": parameters}).parameters)


def domain_of(**parameter: Any) -> Any:
    return space_of({"p": parameter}).description["p"]


# -- W&B's engine ------------------------------------------------------------------------------------------------------


def key(point: Any) -> str:
    """Return *point* as text in which floats have no dust, 1.0 is 1 and keys have an order."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(value[name]) for name in sorted(value)}
        if isinstance(value, float):
            return int(value) if value.is_integer() else round(value, 9)
        return value

    return json.dumps(clean(point))


@pytest.mark.parametrize(("parameters", "points"), GOLDEN["grids"])
def test_a_grid_has_the_engines_points(parameters, points):
    spec = read({"method": "grid", "parameters": parameters})
    space = Space(spec.parameters)
    assert space.grid_size == len(points) and spec.num_samples == 1
    ours = [space.variant(k, rng_at(0)) for k in range(space.grid_size)]
    assert sorted(map(key, ours)) == sorted(map(key, points))
    assert Variants(space, 1).total == len(points)


@pytest.mark.parametrize(("parameter", "quantiles"), GOLDEN["quantiles"])
def test_quantiles_are_the_engines(parameter, quantiles):
    domain = domain_of(**parameter)
    for u, value in quantiles:
        ours = domain.from_unit(u)
        assert ours == (pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value)
        assert type(ours) is type(value)


def test_steps_have_no_dust():
    assert steps(0.0, 1.0, 0.1) == [k / 10 for k in range(10)]
    assert steps(1, 1.3, 0.1) == [1.0, 1.1, 1.2, 1.3]  # the engine's floats find room for one more
    assert [type(value) for value in steps(0, 9, 3)] == [int] * 3


@given(st.integers(-50, 50), st.integers(1, 60), st.integers(1, 9))
def test_steps_are_a_range(least, width, q):
    assert steps(least, least + width, q) == list(range(least, least + width, q))


# -- laws --------------------------------------------------------------------------------------------------------------
numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
positive = st.floats(1e-6, 1e6)
quanta = st.sampled_from([0.1, 0.25, 1, 1.0, 3, 10])
shapes = st.floats(0.2, 20)


def ranged(kind: str | None, bounds: st.SearchStrategy[float], **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    @st.composite
    def made(draw: Any) -> dict[str, Any]:
        low, high = sorted((draw(bounds), draw(bounds)))
        assume(high - low > 1e-3 * max(abs(low), abs(high), 1e-6))
        own = {name: draw(strategy) for name, strategy in more.items()}
        if "q" in own:
            assume(high - low > 2 * own["q"])
        return {"min": low, "max": high} | ({"distribution": kind} if kind else {}) | own

    return made()


def shaped(kind: str, **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"distribution": st.just(kind)}, optional=more)


deviations = {"mu": st.floats(-50, 50), "sigma": st.floats(0.01, 20)}
definitions = st.one_of(
    ranged(None, numbers),
    ranged(None, st.integers(-(10**6), 10**6)),
    ranged("int_uniform", st.integers(-100, 100)),
    ranged("uniform", numbers),
    ranged("q_uniform", numbers, q=quanta),
    ranged("log_uniform_values", positive),
    ranged("inv_log_uniform_values", positive),
    ranged("q_log_uniform_values", positive, q=quanta),
    ranged("log_uniform", st.floats(-10, 10)),
    ranged("inv_log_uniform", st.floats(-10, 10)),
    shaped("normal", **deviations),
    shaped("q_normal", **deviations, q=quanta),
    shaped("log_normal", **deviations),
    shaped("q_log_normal", **deviations, q=quanta),
    shaped("beta", a=shapes, b=shapes),
    shaped("q_beta", a=shapes, b=shapes, q=st.sampled_from([0.1, 0.25, 1])),
    st.builds(lambda values: {"values": values}, st.lists(st.integers(0, 9) | st.text("ab", max_size=2), min_size=1)),
)
spaces = st.dictionaries(
    st.text("abcxyz", min_size=1, max_size=4),
    st.recursive(
        definitions,
        lambda inner: st.one_of(
            st.builds(lambda p: {"parameters": p}, st.dictionaries(st.sampled_from("klm"), inner, min_size=1)),
            st.builds(lambda p: {"choice": p}, st.dictionaries(st.sampled_from("klm"), st.just({}), min_size=1)),
            st.builds(lambda p: {"choice": p}, st.lists(inner, min_size=1, max_size=3)),
        ),
        max_leaves=4,
    ),
    min_size=1,
    max_size=4,
)


def bounds_of(parameter: dict[str, Any]) -> tuple[float, float]:
    kind = parameter.get("distribution", "")
    if "beta" in kind:
        return 0.0, 1.0
    if "normal" in kind:
        return (0.0 if "log" in kind else -math.inf), math.inf
    low, high = parameter["min"], parameter["max"]
    if kind == "inv_log_uniform":
        low, high = -high, -low
    return (math.exp(low), math.exp(high)) if kind in {"log_uniform", "inv_log_uniform"} else (low, high)


def check(parameters: dict[str, Any], config: Any) -> None:
    assert config.keys() == parameters.keys()
    for name, parameter in parameters.items():
        value = config[name]
        if "parameters" in parameter:
            check(parameter["parameters"], value)
        elif "values" in parameter:
            assert any(same(value, option) for option in parameter["values"])
        elif "choice" in parameter:
            named = isinstance(parameter["choice"], dict)
            assert not named or value["name"] in parameter["choice"]
        else:
            low, high = bounds_of(parameter)
            assert low <= value <= high and math.isfinite(value)
            q = parameter.get("q")
            assert q is None or abs(value / q - round(value / q)) < 1e-6
            assert not isinstance(q, int) or type(value) is int


@given(spaces, st.integers(0, 2**32))
def test_what_is_drawn_lies_in_bounds(parameters, seed):
    space = space_of(parameters)
    config = space.sample(rng_at(seed))
    check(parameters, config)
    assert config in space
    json.dumps(config)


# -- one by one --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parameter", "domain"),
    [
        ({"min": 1, "max": 9}, Integer(1, 9)),
        ({"min": 1, "max": 9.0}, Float(1, 9)),
        ({"min": 1, "max": 9, "distribution": "uniform"}, Float(1, 9)),
        ({"min": 1.0, "max": 9.0, "distribution": "int_uniform"}, Integer(1, 9)),
        ({"values": [1, 2]}, Categorical([1, 2])),
        ({"values": [1, 2], "probabilities": [0.25, 0.75]}, Weighted([1, 2], [0.25, 0.75])),
        ({"min": 0, "max": 1, "q": 0.25, "distribution": "q_uniform"}, Float(0, 1, q=0.25)),
        ({"min": 0, "max": 8, "q": 2, "distribution": "q_uniform"}, Rounded(Float(0, 8), 2, whole=True)),
        ({"min": 0, "max": 0.9, "q": 0.25, "distribution": "q_uniform"}, Rounded(Float(0, 0.9), 0.25)),
        ({"min": 0.5, "max": 8, "q": 0.5, "distribution": "q_log_uniform_values"}, Float(0.5, 8, log=True, q=0.5)),
        ({"distribution": "q_normal", "q": 0.5, "mu": 3}, Normal(3, 1, 0.5)),
        ({"distribution": "log_normal", "sigma": 2}, Normal(0, 2, log=True)),
        ({"choice": [{"value": None}, {"min": 0.0, "max": 1.0}]}, Categorical([None, Float(0, 1)])),
        (
            {"choice": [{"value": 0}, {"values": [1, 2]}], "probabilities": [0.9, 0.1]},
            Weighted([0, Categorical([1, 2])], [0.9, 0.1]),
        ),
    ],
)
def test_definitions(parameter, domain: Domain):
    assert repr(domain_of(**parameter)) == repr(domain)


def test_constants_are_no_axes():
    space = space_of(
        {"a": {"value": {"layers": [1, 2]}}, "b": {"value": None}, "c": {"value": 3, "distribution": "constant"}}
    )
    assert len(space) == 0 and space.sample(rng_at(0)) == {"a": {"layers": [1, 2]}, "b": None, "c": 3}


CHOICE = {
    "optimizer": {
        "choice": {
            "adam": {"beta": {"values": [0.9, 0.99]}},
            "sgd": {
                "momentum": {"values": [0, 0.9]},
                "schedule": {"choice": {"cosine": None, "step": {"gamma": {"min": 0.1, "max": 0.9}}}},
            },
            "lion": None,
        }
    }
}  # fmt: skip


def test_a_choice_is_a_conditional_space():
    space = space_of(CHOICE)
    assert [axis.name for axis in space.axes] == [
        "optimizer",
        "optimizer[0]/beta",
        "optimizer[1]/momentum",
        "optimizer[1]/schedule",
        "optimizer[1]/schedule[1]/gamma",
    ]
    seen = {config["optimizer"]["name"]: config["optimizer"] for config in (space.sample(rng_at(k)) for k in range(40))}
    assert seen.keys() == {"adam", "sgd", "lion"}
    assert seen["adam"].keys() == {"name", "beta"} and seen["lion"] == {"name": "lion"}
    assert seen["sgd"].keys() == {"name", "momentum", "schedule"}


def test_a_grid_walks_only_what_is_there():
    parameters = {
        "optimizer": {"choice": {"adam": {}, "sgd": {"momentum": {"values": [0, 0.5, 0.9]}}}},
        "seed": {"min": 1, "max": 2},
    }
    space = space_of(parameters, "grid")
    assert space.grid_size == 2 * (1 + 3)
    points = [json.dumps(space.variant(k, rng_at(0)), sort_keys=True) for k in range(8)]
    assert len(set(points)) == 8


def test_values_that_are_equal_are_once_in_a_grid():
    spec = read({"method": "grid", "parameters": {"a": {"values": [1, 1.0, True, "1", 2]}}})
    assert spec.parameters["a"] == Grid([1, True, "1", 2])
    assert any("twice" in warning for warning in spec.warnings)
    assert read({"method": "random", "parameters": {"a": {"values": [1, 1]}}}).warnings == ()


def test_exponents_are_warned_of():
    spec = read("method: random\nparameters:\n  lr: {distribution: log_uniform, min: -9, max: 0}")
    assert spec.parameters["lr"] == Float(math.exp(-9), 1.0, log=True)
    (warning,) = spec.warnings
    assert warning == (
        "line 3: parameters.lr.distribution: log_uniform takes exponents to the base e, so that values lie between "
        "0.00012341 and 1; log_uniform_values takes the bounds themselves"
    )


@pytest.mark.parametrize(
    ("method", "parameter", "key", "words"),
    [
        ("random", "{min: 1, max: 1}", ".max", "1 is not above min, which is 1"),
        ("random", "{min: 2.0, max: 1}", ".max", "1 is not above min"),
        ("random", "{distribution: log_uniform_values, min: 0, max: 1}", ".min", "above 0"),
        ("random", "{distribution: log_uniform, min: 0, max: 1000}", ".max", "exponents to the base e"),
        ("random", "{distribution: log_normal, mu: 900}", "", "beyond all floats"),
        ("random", "{distribution: q_uniform, min: 0.1, max: 0.9, q: 1}", ".q", "no multiple of it lies between"),
        ("random", "{distribution: normal, sigma: 0}", ".sigma", "above 0"),
        ("random", "{distribution: beta, a: -1}", ".a", "above 0"),
        ("random", "{values: [1, 2], probabilities: [0.5, 0.6]}", ".probabilities", "sum up to 1"),
        ("random", "{values: [1, 2], probabilities: [1.0]}", ".probabilities", "2 numbers"),
        ("random", "{min: 0, max: .inf}", ".max", "a number"),
        ("random", "{value: {grid_search: [1]}}", ".value", "'grid_search'"),
        ("random", "{values: [{eval: x}]}", ".values[0]", "'eval'"),
        ("random", "{choice: {a: {name: {value: 1}}}}", ".choice.a.name", "which option it has"),
        ("random", "{choice: {}}", ".choice", "empty"),
        ("random", "{choice: []}", ".choice", "1 or more"),
        ("random", "{choice: 3}", ".choice", "a mapping"),
        ("grid", "{min: 0.0, max: 1.0}", "", "cannot walk uniform"),
        ("grid", "{distribution: normal}", "", "cannot walk normal"),
        ("grid", "{distribution: q_normal}", "", "cannot walk q_normal"),
        ("grid", "{values: [1, 2], probabilities: [0.5, 0.5]}", ".probabilities", "leave probabilities out"),
        ("grid", "{choice: [{min: 0.0, max: 1.0}]}", ".choice[0]", "cannot walk uniform"),
    ],
)
def test_what_cannot_be_used(method, parameter, key, words):
    with pytest.raises(BadSweep) as caught:
        read(f"method: {method}\nparameters:\n  p: {parameter}")
    (violation,) = caught.value.violations
    assert (violation.key, violation.line) == (f"parameters.p{key}", 3)
    assert words in violation.text
