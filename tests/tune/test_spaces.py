"""The public functions that describe spaces, with Ray Tune's interface."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from luthier.core import space as core
from luthier.core.errors import BadArgument
from luthier.core.rng import rng_at
from luthier.core.space import Space
from luthier.search.variants import Variants
from luthier.tune import spaces as tune
from luthier.tune.search import sample
from luthier.tune.search.basic_variant import BasicVariantGenerator
from luthier.tune.search.chance import repeatable, rng_of, seed_of
from luthier.tune.search.variant_generator import (
    RecursiveDependencyError,
    format_vars,
    generate_variants,
    grid_search,
    parse_spec_vars,
)
from luthier.tune.tags import experiment_tag

WORD: Any = "a"  # what an annotation would not let pass
NOTHING: Any = None
HALF: Any = 0.5
ENDLESS: Any = float("inf")
THREE: Any = 3

MEANINGS = [
    (tune.uniform(1, 10), core.Float(1, 10)),
    (tune.quniform(1, 10, 0.5), core.Float(1, 10, q=0.5)),
    (tune.loguniform(1e-4, 1), core.Float(1e-4, 1, log=True)),
    (tune.qloguniform(0.5, 8, 0.5), core.Float(0.5, 8, log=True, q=0.5)),
    (tune.randn(), core.Normal(0, 1)),
    (tune.randn(10, 2), core.Normal(10, 2)),
    (tune.qrandn(10, 2, 0.2), core.Normal(10, 2, 0.2)),
    (tune.randint(0, 10), core.Integer(0, 9)),
    (tune.qrandint(0, 10, 2), core.Integer(0, 10, q=2)),
    (tune.qrandint(1, 10, 3), core.Integer(1, 10, q=3)),
    (tune.qrandint(0, 10), core.Integer(0, 9)),
    (tune.lograndint(1, 10), core.Integer(1, 9, log=True)),
    (tune.qlograndint(2, 10, 2), core.Integer(2, 10, log=True, q=2)),
    (tune.qlograndint(2, 10, 1), core.Integer(2, 9, log=True)),
    (tune.choice([1, "a"]), core.Categorical([1, "a"])),
    (sample.Categorical([1, 2]).grid(), core.Grid([1, 2])),
    (sample.Float(0, 1), core.Float(0, 1)),
    (sample.Integer(0, 3), core.Integer(0, 2)),
    (sample.Float(0, 1).quantized(0.5), core.Float(0, 1, q=0.5)),
]


@pytest.mark.parametrize(("public", "meaning"), MEANINGS, ids=repr)
def test_meaning(public, meaning):
    assert core.described(public) == meaning
    assert core.described(pickle.loads(pickle.dumps(public))) == meaning


@pytest.mark.parametrize("public", [public for public, _ in MEANINGS if not public.is_grid()], ids=repr)
def test_sampling(public):
    value = public.sample(random_state=7)
    assert value == public.sample(random_state=7) and public.is_valid(value) and public.cast(value) == value
    values = public.sample(size=20, random_state=np.random.default_rng(1))
    assert len(values) == 20 and len(set(values)) > 1 and all(map(public.is_valid, values))
    assert values == public.sample(size=20, random_state=np.random.default_rng(1))
    assert isinstance(public, sample.Domain) and not public.is_function()
    assert public.domain_str.strip("()[]") in repr(public)


def test_samplers():
    assert isinstance(tune.uniform(0, 1).get_sampler(), sample.Uniform)
    assert isinstance(sample.Float(0, 1).get_sampler(), sample.Uniform) and sample.Float(0, 1).sampler is None
    sampler = tune.qloguniform(1, 2, 0.5).get_sampler()
    assert isinstance(sampler, sample.Quantized) and sampler.q == 0.5
    assert isinstance(sampler.get_sampler(), sample.LogUniform) and str(sampler.get_sampler()) == "LogUniform"
    assert sample.Categorical([1]).grid().is_grid() and len(tune.choice([1, 2])) == 2 and tune.choice([1, 2])[1] == 2
    assert tune.randint(0, 10).upper == 10 and tune.choice(["a", "b"]).categories == ["a", "b"]


@pytest.mark.parametrize("twice", [
    lambda: tune.uniform(1, 2).loguniform(), lambda: tune.randint(1, 2).uniform(), lambda: tune.choice([1]).grid(),
    lambda: tune.uniform(1, 2).normal(),
])  # fmt: skip
def test_one_sampler_per_domain(twice):
    with pytest.raises(ValueError, match="one sampler only"):
        twice()
    domain = tune.uniform(1, 2)
    domain.set_sampler(sample.LogUniform(), allow_override=True)
    assert core.described(domain) == core.Float(1, 2, log=True)


@pytest.mark.parametrize("call", [
    lambda **k: tune.loguniform(1, 10, **k), lambda **k: tune.qloguniform(1, 10, 1, **k),
    lambda **k: tune.lograndint(1, 10, **k), lambda **k: tune.qlograndint(2, 10, 2, **k),
    lambda **k: sample.Float(1, 10).loguniform(**k), lambda **k: sample.Integer(1, 10).loguniform(**k),
])  # fmt: skip
def test_base_has_no_effect(call):
    with pytest.warns(DeprecationWarning, match="base") as caught:
        domain = call(base=2)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert core.described(domain) == core.described(call())


@pytest.mark.parametrize(
    ("make", "argument", "wanted"),
    [
        (lambda: tune.uniform(10, 1), "upper", "above lower=10"),
        (lambda: tune.uniform(1, 1), "upper", "above lower=1"),
        (lambda: tune.uniform(WORD, 1), "lower", "a number"),
        (lambda: tune.uniform(NOTHING, 1), "lower", "finite"),
        (lambda: tune.uniform(0, float("nan")), "upper", "finite"),
        (lambda: tune.loguniform(0, 1), "lower", "above 0"),
        (lambda: tune.loguniform(-4, -1), "lower", "above 0"),
        (lambda: tune.quniform(0, 1, 0), "q", "above 0"),
        (lambda: tune.quniform(0, 1, 0.3), "upper", "multiple of q=0.3"),
        (lambda: tune.qloguniform(0.5, 4, 1), "lower", "multiple of q"),
        (lambda: tune.randn(0, 0), "sd", "above 0"),
        (lambda: tune.randn(0, -1), "sd", "above 0"),
        (lambda: sample.Float(1, 2).normal(0, 1), "lower", "None"),
        (lambda: tune.qrandn(0, 1, 0), "q", "above 0"),
        (lambda: tune.randint(5, 5), "upper", "above lower=5"),
        (lambda: tune.randint(HALF, 5), "lower", "whole"),
        (lambda: tune.randint(1, ENDLESS), "upper", "finite"),
        (lambda: tune.qrandint(0, 10, 0), "q", "above 0"),
        (lambda: tune.qrandint(11, 19, 10), "q", "divisor"),
        (lambda: tune.lograndint(0, 10), "lower", "above 0"),
        (lambda: tune.choice([]), "categories", "at least one"),
        (lambda: tune.choice("abc"), "categories", "a list"),
        (lambda: tune.sample_from(THREE), "func", "the config, or nothing"),
        (lambda: tune.sample_from(lambda a, b: 1), "func", "the config, or nothing"),
    ],
)
def test_bad_arguments(make, argument, wanted):
    with pytest.raises(BadArgument) as caught:
        make()
    assert str(caught.value).startswith(f"{argument}=") and wanted in str(caught.value)


def test_domains_made_without_checks_are_checked_with_their_place():
    with pytest.raises(BadArgument, match=r"param_space\['model'\]\['lr'\]\.upper=1"):
        Space({"model": {"lr": sample.Float(10, 1)}})


# -- functions ---------------------------------------------------------------------------------------------------------


def test_sample_from():
    function = tune.sample_from(lambda config: config["a"] + 1)
    assert function.is_function() and function.is_valid(object()) and function.pass_config
    assert function.sample({"a": 1}) == 2 and function.sample([{"a": 1}, {"a": 2}], size=2) == [2, 3]
    assert not tune.sample_from(lambda: 1).pass_config and tune.sample_from(lambda: 1).sample() == 1
    assert "lambda" in repr(function)


def test_global_chance_in_functions_is_repeatable():
    space = Space({
        "x": tune.sample_from(random.random),
        "y": tune.sample_from(lambda config: np.random.uniform(0, config["x"])),  # noqa: NPY002 (the global generator is the point)
        "z": tune.sample_from(lambda spec: random.randint(0, 10**9)),
    })  # fmt: skip
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 (the global generator is the point)
    expected = random.random(), np.random.random()  # noqa: NPY002 (the global generator is the point)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 (the global generator is the point)
    first = space.sample(rng_at(7, 0))
    assert (random.random(), np.random.random()) == expected  # the user's own chance goes on as if nothing happened  # noqa: NPY002 (the global generator is the point)
    assert first == space.sample(rng_at(7, 0)) != space.sample(rng_at(7, 1))
    assert first["x"] != first["z"] / 10**9


def test_chance_is_put_back_after_an_error():
    state = random.getstate()
    with pytest.raises(ZeroDivisionError):
        repeatable(lambda config: 1 / 0, {}, rng_at(1))
    assert random.getstate() == state


def test_functions_that_import_numpy_first():
    program = (
        "import sys; from luthier.tune.search.chance import repeatable; from luthier.core.rng import rng_at\n"
        "assert 'numpy' not in sys.modules\n"
        "def f(config):\n import numpy as np\n return np.random.random()\n"
        "a = repeatable(f, {}, rng_at(1)); b = repeatable(f, {}, rng_at(1)); print(a == b)"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "True\n"
    )


def test_random_states():
    assert seed_of(None) is None and seed_of(np.int64(5)) == 5 and type(seed_of(np.int64(5))) is int
    for make in (np.random.default_rng, np.random.RandomState):
        assert seed_of(make(3)) == seed_of(make(3)) != seed_of(make(4))
    np.random.seed(4)  # noqa: NPY002 (the global generator is the point)
    a = tune.uniform(0, 1).sample()
    np.random.seed(4)  # noqa: NPY002 (the global generator is the point)
    assert a == tune.uniform(0, 1).sample() != tune.uniform(0, 1).sample()
    assert rng_of(rng_at(3)).bits() == rng_of(3).bits()
    for bad in ("x", True, 1.5):
        with pytest.raises(BadArgument, match="random_state="):
            seed_of(bad)


# -- variants ----------------------------------------------------------------------------------------------------------


def test_generate_variants():
    spec = {"run": "f", "config": {"b": grid_search([1, 2]), "a": grid_search(["x", "y"]), "r": tune.randint(0, 10**9)}}
    variants = list(generate_variants(spec, random_state=1))
    assert [(v[("config", "b")], v[("config", "a")]) for v, _ in variants] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert all(spec["run"] == "f" and resolved[("config", "r")] == spec["config"]["r"] for resolved, spec in variants)
    assert len({spec["config"]["r"] for _, spec in variants}) == 4
    assert variants == list(generate_variants(spec, random_state=1))
    assert len({s["config"]["r"] for _, s in generate_variants(spec, constant_grid_search=True)}) == 1


@pytest.mark.parametrize(
    "function", [lambda spec: spec.config.a * 2, lambda config: config["a"] * 2, lambda c: c.a * 2]
)
def test_functions_of_a_spec(function):
    ((_, spec),) = generate_variants({"config": {"a": tune.choice([21]), "b": tune.sample_from(function)}})
    assert spec["config"]["b"] == 42


def test_circles():
    with pytest.raises(RecursiveDependencyError, match=r"'a'.*needs.*'b'"):
        list(generate_variants({"a": tune.sample_from(lambda c: c.b), "b": tune.sample_from(lambda c: c.a)}))


def test_parse_spec_vars():
    domain, function, grid = tune.uniform(0, 1), tune.sample_from(lambda: 1), sample.Categorical([1]).grid()
    spec = {"z": grid_search([1, 2]), "a": {"x": domain, "l": [3, function], "g": grid}, "c": "k"}
    constants, domains, grids = parse_spec_vars(spec)
    assert constants == [(("a", "l", 0), 3), (("c",), "k")]
    assert domains == [(("a", "x"), domain), (("a", "l", 1), function)]
    assert [(path, g.categories, g.is_grid()) for path, g in grids] == [(("a", "g"), [1], True), (("z",), [1, 2], True)]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({("a",): 1, ("b",): 0.1234567}, "a=1,b=0.1235"),
        ({("z", "b"): 1, ("a", "c"): "x"}, "c=x,b=1"),
        ({("a",): "/etc/x y.z"}, "a=etc_x_y_z"),
        ({("l", 0): True, ("l", 1): None}, "0=True,1=None"),
        ({("a b",): [1, 2], ("e",): "", ("n",): -3, ("u",): "ä-_b"}, "a_b=1_2,e=,n=-3,u=-_b"),
        ({("f",): np.float64(2)}, "f=2.0000"),
        ({}, ""),
    ],
)
def test_format_vars(values, text):
    assert format_vars(values) == text


def test_experiment_tag():
    space = Space({"m": tune.choice([{"k": "svm", "C": tune.uniform(0, 9)}]), "g": grid_search([1]), "const": 3})
    assert experiment_tag(12, space.sample(rng_at(1)) | {"m": {"k": "svm", "C": 1.0}}, space) == "12_g=1,C=1.0000,k=svm"
    assert experiment_tag(0, {"a": 1}, Space({"a": 1})) == "0"


def test_conditional_choice():
    domain = tune.choice([{"name": "adam"}, {"name": "sgd", "momentum": tune.uniform(0.5, 0.99)}, tune.randint(3, 4)])
    values = domain.sample(size=60, random_state=1)
    assert {"adam", "sgd", 3} == {v["name"] if isinstance(v, dict) else v for v in values}
    assert all(("momentum" in v) == (v["name"] == "sgd") for v in values if isinstance(v, dict))


# -- the default search algorithm --------------------------------------------------------------------------------------


def test_basic_variant_generator():
    generator = BasicVariantGenerator([{"a": 1}], max_concurrent=2, constant_grid_search=True, random_state=5)
    assert (generator.max_concurrent, generator.seed) == (2, 5)
    searcher = generator.build(Space({"a": grid_search([1, 2]), "b": tune.uniform(0, 1)}), num_samples=3)
    assert isinstance(searcher, Variants)
    assert (searcher.total, searcher.seed, searcher.constant_grid_search) == (5, 5, True)
    assert BasicVariantGenerator().build(Space({}), 2, seed=9).seed == 9 and BasicVariantGenerator().seed is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points_to_evaluate": {"a": 1}}, "points_to_evaluate=.*list of dicts"),
        ({"points_to_evaluate": [1]}, "points_to_evaluate=.*list of dicts"),
        ({"max_concurrent": -1}, "max_concurrent=-1"),
        ({"max_concurrent": 1.5}, "max_concurrent=1.5"),
        ({"random_state": "x"}, "random_state='x'"),
    ],
)
def test_bad_generators(arguments, words):
    with pytest.raises(BadArgument, match=words):
        BasicVariantGenerator(**arguments)


def test_importing_is_light():
    program = (
        "import sys, luthier.tune.spaces; print([m for m in ('numpy', 'scipy', 'pandas', 'rich') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tune.loguniform(1, 2).sample(random_state=1) >= 1
