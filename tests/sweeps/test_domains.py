"""What calls of search spaces stand for."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hyperopt import hp as theirs
from hyperopt.pyll import scope

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.core.space import described
from luthier.search.hp import Hp, HpChoice
from luthier.search.hyperopt_space import converted
from luthier.sweeps.calls import Call, decode, encode
from luthier.sweeps.config import tune as written
from luthier.sweeps.config.hyperopt import hp
from luthier.sweeps.domains import HP, TUNE, call_of, domain_of

TUNES: list[tuple[str, tuple[Any, ...]]] = [
    ("uniform", (0, 20)),
    ("quniform", (0, 10, 0.5)),
    ("loguniform", (1e-4, 0.1)),
    ("qloguniform", (0.5, 8, 0.5)),
    ("randn", ()),
    ("randn", (10, 2)),
    ("qrandn", (10, 2, 0.5)),
    ("randint", (1, 9)),
    ("qrandint", (2, 8, 2)),
    ("qrandint", (2, 8)),
    ("lograndint", (1, 1000)),
    ("qlograndint", (10, 1000, 10)),
    ("choice", (["relu", None, 3, [1, 2]],)),
    ("grid_search", ([16, 32],)),
]
HPS: list[tuple[str, tuple[Any, ...]]] = [
    ("choice", ("x", ["relu", "tanh"])),
    ("randint", ("x", 7)),
    ("randint", ("x", 3, 7)),
    ("pchoice", ("x", [(0.9, "adam"), (0.1, "sgd")])),
    ("uniform", ("x", -100, 100)),
    ("uniformint", ("x", 1, 8)),
    ("quniform", ("x", 0, 10, 2)),
    ("loguniform", ("x", -9.2, -2.3)),
    ("qloguniform", ("x", 0, 5, 2)),
    ("normal", ("x", 0, 1)),
    ("qnormal", ("x", 0, 3, 0.5)),
    ("lognormal", ("x", 0, 1)),
    ("qlognormal", ("x", 0, 1, 0.5)),
]


def as_read(call):
    return decode(encode(call, known=call_of), "", domain_of)


def test_all_functions_are_there():
    others = {"run", "sample_from", "search", "suggest", "schedulers"}
    assert {name for name, _ in TUNES} == set(TUNE) == set(written.__all__) - others
    assert {name for name, _ in HPS} == set(HP) == set(hp.__all__)
    assert set(written.__all__) - {"run", "search", "suggest", "schedulers"} <= set(dir(tune))


@pytest.mark.parametrize(("name", "arguments"), TUNES)
def test_what_tune_makes(name, arguments):
    meant = described(getattr(tune, name)(*arguments))
    assert as_read(getattr(written, name)(*arguments)) == meant
    assert as_read(call_of(meant)) == meant
    assert described(as_read(call_of(getattr(tune, name)(*arguments)))) == meant
    assert type(as_read(call_of(meant))) is type(meant)


@pytest.mark.parametrize(("name", "arguments"), HPS)
def test_what_hyperopt_makes(name, arguments):
    meant = converted({"x": getattr(theirs, name)(*arguments)}).description["x"]
    assert as_read(getattr(hp, name)(*arguments)) == meant
    assert as_read(call_of(meant)) == meant


@pytest.mark.parametrize("name", sorted(TUNE))
def test_arguments_of_tune_have_their_names_here(name):
    there = inspect.signature(getattr(tune, name)).parameters.keys() - {"base"}
    assert inspect.signature(getattr(written, name)).parameters.keys() == there
    assert inspect.signature(TUNE[name]).parameters.keys() - {"base"} == there


def test_whole_numbers_of_another_distribution():
    call = call_of(converted({"x": scope.int(theirs.qnormal("x", 0, 3, 2))}).description["x"])
    assert as_read(call) == Hp("x", "qnormal", (0, 3, 2), integer=True)


def test_arguments_by_name():
    assert domain_of(Call("tune.uniform", lower=0, upper=1), "x") == described(tune.uniform(0, 1))
    assert domain_of(Call("hp.uniform", "w", high=1, low=0), "x") == Hp("w", "uniform", (0, 1))
    assert domain_of(Call("hyperopt.hp.choice", label="c", options=[1, 2]), "x") == HpChoice("c", [1, 2])


def test_what_the_first_client_called_loguniform():
    bounds = {"min_bound": 1e-4, "max_bound": 0.1}
    assert domain_of(Call("tune.loguniform", **bounds), "x") == described(tune.loguniform(1e-4, 0.1))
    assert domain_of(Call("hyperopt.loguniform", **bounds), "x") == described(tune.loguniform(1e-4, 0.1))
    as_hyperopt_has_it = Call("hyperopt.loguniform", min_bound="lr", max_bound=-9, base=0)
    assert domain_of(as_hyperopt_has_it, "x") == Hp("lr", "loguniform", (-9, 0))


def test_numbers_that_yaml_takes_for_text():
    assert domain_of(Call("tune.loguniform", "1e-4", "1e-1"), "x") == described(tune.loguniform(1e-4, 0.1))
    assert domain_of(Call("tune.randint", "1", "1_0".replace("_", "")), "x") == described(tune.randint(1, 10))
    with pytest.raises(BadArgument, match="lower='low'"):
        domain_of(Call("tune.uniform", "low", 1), "x")


@pytest.mark.parametrize("name", ["ray.tune.choice", "luthier.tune.choice", "tune.choice"])
def test_names_with_their_packages(name):
    assert domain_of(Call(name, [1, 2]), "x") == described(tune.choice([1, 2]))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (Call("tune.unifrom", 0, 1), r"config.x=.*nothing has that name; give 'tune.uniform'"),
        (Call("hyperopt.hp.unifrom", 0, 1), "'hyperopt.hp.uniform'"),
        (Call("numpy.random.uniform", 0, 1), "luthier.dict"),
        (Call("os.system", "ls"), "nothing has that name"),
        (Call("tune.sample_from", "lambda: 3"), "a function cannot be written"),
        (Call("tune.uniform", 0), "'upper' is missing"),
        (Call("tune.uniform", 0, 1, 2), "at most 2 arguments: lower, upper"),
        (Call("tune.uniform", 0, 1, lower=2), "it is there already"),
        (Call("tune.uniform", 0, uper=2), "'upper', or another of lower, upper"),
        (Call("tune.uniform", 2, 1), "config.x: upper=1 .* above lower=2"),
        (Call("tune.randint", 1, 1), "upper=1"),
        (Call("tune.randint", 1.5, 3), "lower=1.5"),
        (Call("tune.choice", []), "at least one option"),
        (Call("tune.choice", 3), "a list of options"),
        (Call("hp.uniform", 3, 0, 1), "label=3"),
        (Call("hp.uniformint", "x", 0, 1, 2), "hp.quniform"),
        (Call("hp.pchoice", "x", [1, 2]), r"a list of \(probability, option\)"),
        (Call("hp.pchoice", "x", [[0.5, "a"], [0.1, "b"]]), "sum up to 1"),
        (Call("hp.normal", "x", 0, 0), "sigma"),
        (Call("scope.int", 3), "a number of hp"),
    ],
)
def test_what_cannot_be_used_is_named(call, complaint):
    with pytest.raises(BadArgument, match=complaint):
        domain_of(call, "config.x")


def test_functions_are_refused_where_they_are_written():
    with pytest.raises(BadArgument, match="a function cannot be written"):
        written.sample_from(lambda spec: spec.config.x)
    with pytest.raises(BadArgument, match="a function cannot be written"):
        call_of(tune.sample_from(lambda: 3))


def test_bad_bounds_are_refused_where_they_are_written():
    with pytest.raises(BadArgument, match=r"tune.uniform: upper=1"):
        written.uniform(2, 1)
    with pytest.raises(BadArgument, match=r"hyperopt.hp.quniform: q of hp 'x'=0"):
        hp.quniform("x", 0, 1, 0)
    with pytest.raises(BadArgument, match=r"tune.choice\[0\]\[1\]"):
        written.choice([1, print])
