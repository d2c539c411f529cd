"""How each search algorithm of the registry is made for the tests that all of them take; a missing one makes them fail."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier import tune
from luthier.tune.searching import SEARCH_ALGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Arguments = "Mapping[str, Any] | Callable[[], Mapping[str, Any]]"
PATHS = {path.rpartition(":")[2]: path for path in SEARCH_ALGS.values()}  # by class


class Algorithm(NamedTuple):
    """What tests must know of one.

    Attributes:
        early: arguments (or a function that returns them, where they are made of a library) with which a model is in
            use after four results; everything stays quick.
        drawn: arguments with which proposals are draws from the whole space, for comparing distributions; None where
            there are no such.
        goals: how many metrics it knows.
        module: the library that it cannot do without.
        extra: the extra of ours that brings *module*.
    """

    early: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = {}
    drawn: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = {}
    goals: int = 1
    module: str = ""
    extra: str = ""


def _random_sampler() -> Mapping[str, Any]:
    import optuna

    return {"sampler": optuna.samplers.RandomSampler()}


def _early_sampler() -> Mapping[str, Any]:
    import optuna

    return {"sampler": optuna.samplers.TPESampler(n_startup_trials=4, constant_liar=True)}


ALGORITHMS: dict[str, Algorithm] = {
    "BasicVariantGenerator": Algorithm(),
    "QuasiRandomSearch": Algorithm(goals=9),
    "TPESearch": Algorithm({"n_initial_points": 4}, {"n_initial_points": 1000}, goals=9),
    "EvolutionSearch": Algorithm({"population_size": 4}, {"population_size": 1000}, goals=9),
    "CMAESSearch": Algorithm({"population_size": 4}, None),
    "GPSearch": Algorithm({"n_initial_points": 4}, {"n_initial_points": 1000}),
    "AutoSearch": Algorithm(drawn=None, goals=9),
    "TuneBOHB": Algorithm({"bohb_config": {"random_fraction": 0.1}}, {"bohb_config": {"random_fraction": 1.0}}),
    "OptunaSearch": Algorithm(_early_sampler, _random_sampler, 9, "optuna", "optuna"),
    "HyperOptSearch": Algorithm({"n_initial_points": 4}, {"n_initial_points": 1000}, 1, "hyperopt", "hyperopt"),
}

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
    return class_of(name)(**{**(arguments() if callable(arguments) else arguments), **more})
