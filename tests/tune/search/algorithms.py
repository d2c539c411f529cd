"""How each search algorithm of the registry is made, for the tests that all of them take: none may be missing here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from luthier import tune
from luthier.tune.searching import SEARCH_ALGS

# The second where they are made of a library.
Arguments = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
NONE: Mapping[str, Any] = {}
PINNED = ("NevergradSearch", "HEBOSearch")  # not in this environment: tests/pinned has tests of their own
PATHS = {path.rpartition(":")[2]: path for path in SEARCH_ALGS.values() if not path.endswith(PINNED)}  # by class


class Algorithm(NamedTuple):
    """What tests must know of one.

    Attributes:
        early: arguments with which a model is in use after four results; everything stays quick.
        drawn: arguments with which proposals are draws from the whole space; None where there are no such.
        several: whether it knows several metrics.
        repeats: why trials that run may get the same config; empty where they may not.
        module: the library that it cannot do without.
        extra: the extra of ours that brings *module*.
        space: what its argument for the space is called.
        pinned: whether *module* wants old releases of others: it is tested where it is installed, in an environment
            of its own.
    """

    early: Arguments = NONE
    drawn: Arguments | None = NONE
    several: bool = False
    repeats: str = ""
    module: str = ""
    extra: str = ""
    space: str = "space"
    pinned: bool = False


def _random_sampler() -> Mapping[str, Any]:
    import optuna

    return {"sampler": optuna.samplers.RandomSampler()}


def _early_sampler() -> Mapping[str, Any]:
    import optuna

    return {"sampler": optuna.samplers.TPESampler(n_startup_trials=4, constant_liar=True)}


def _sobol() -> Mapping[str, Any]:
    """Return Ax without its model, a proposal of which takes seconds: ``test_ax.py`` has it."""
    class_of("AxSearch")()  # Ax is imported, quietly
    from ax.adapter.registry import Generators
    from ax.generation_strategy.generation_node import GenerationNode
    from ax.generation_strategy.generation_strategy import GenerationStrategy
    from ax.generation_strategy.generator_spec import GeneratorSpec

    node = GenerationNode(name="Sobol", generator_specs=[GeneratorSpec(Generators.SOBOL)])
    return {"generation_strategy": GenerationStrategy(nodes=[node])}


ALGORITHMS: dict[str, Algorithm] = {
    "BasicVariantGenerator": Algorithm(several=True, repeats="draws do not know of each other"),
    "QuasiRandomSearch": Algorithm(several=True, repeats="a point follows from its number and nothing else"),
    "TPESearch": Algorithm({"n_initial_points": 4}, {"n_initial_points": 1000}, several=True),
    "EvolutionSearch": Algorithm({"population_size": 4}, {"population_size": 1000}, several=True),
    "CMAESSearch": Algorithm({"population_size": 4}, drawn=None),
    "GPSearch": Algorithm({"n_initial_points": 4}, {"n_initial_points": 1000}),
    "AutoSearch": Algorithm(drawn=None, several=True),
    "TuneBOHB": Algorithm({"bohb_config": {"random_fraction": 0.1}}, {"bohb_config": {"random_fraction": 1.0}}),
    "OptunaSearch": Algorithm(_early_sampler, _random_sampler, several=True, module="optuna", extra="optuna"),
    "HyperOptSearch": Algorithm(
        {"n_initial_points": 4}, {"n_initial_points": 1000}, module="hyperopt", extra="hyperopt"
    ),
    "BayesOptSearch": Algorithm(
        {"random_search_steps": 4},
        {"random_search_steps": 1000},
        repeats="it is over when all has been tried",
        module="bayes_opt",
        extra="bayesopt",
    ),
    "SkOptSearch": Algorithm({"n_initial_points": 4}, {"n_initial_points": 1000}, module="skopt", extra="skopt"),
    "AxSearch": Algorithm(_sobol, drawn=None, several=True, module="ax", extra="ax"),
    "ZOOptSearch": Algorithm(
        {"budget": 30, "parallel_num": 20},
        {"budget": 30, "parallel_num": 20, "exploration_rate": 1},
        module="zoopt",
        extra="zoopt",
        space="dim_dict",
    ),
}

HERE = [name for name, one in ALGORITHMS.items() if not one.pinned or find_spec(one.module) is not None]

SPACE: dict[str, Any] = {
    "x": tune.uniform(0, 1),
    "rate": tune.loguniform(1e-4, 1e-1),
    "model": tune.choice(["a", {"depth": tune.randint(1, 9)}]),
}


def class_of(name: str) -> Any:
    """Return the class of that name."""
    module, _, noun = PATHS[name].partition(":")
    return getattr(import_module(module), noun)


def made(name: str, how: str = "early", **more: Any) -> Any:
    """Return a search algorithm with its arguments for *how*: an attribute of :class:`Algorithm`."""
    arguments = getattr(ALGORITHMS[name], how)
    if "space" in more:
        more[ALGORITHMS[name].space] = more.pop("space")
    return class_of(name)(**{**(arguments() if callable(arguments) else arguments), **more})
