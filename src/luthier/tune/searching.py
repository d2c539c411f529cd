"""From what a user says of search to the core's searcher."""

from __future__ import annotations

import logging
from functools import partial
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.adapt.suggesting import policy_of
from luthier.tune.search.around import Around
from luthier.tune.search.basic_variant import BasicVariantGenerator
from luthier.tune.search.searcher import Searcher as UserSearcher
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.core.goal import Goal
    from luthier.core.policy import Searcher
    from luthier.core.space import Space


log = logging.getLogger("luthier")

_BASIC = "luthier.tune.search.basic_variant:BasicVariantGenerator"
SEARCH_ALGS: Mapping[str, str] = {
    "variant_generator": _BASIC,
    "random": _BASIC,
    "grid": _BASIC,
    "bohb": "luthier.tune.search.bohb:TuneBOHB",
    "tpe": "luthier.tune.search.tpe:TPESearch",
    "optuna": "luthier.tune.search.optuna:OptunaSearch",
    "hyperopt": "luthier.tune.search.hyperopt:HyperOptSearch",
    "bayesopt": "luthier.tune.search.bayesopt:BayesOptSearch",
    "skopt": "luthier.tune.search.skopt:SkOptSearch",
    "nevergrad": "luthier.tune.search.nevergrad:NevergradSearch",
    "hebo": "luthier.tune.search.hebo:HEBOSearch",
    "sobol": "luthier.tune.search.quasirandom:QuasiRandomSearch",
    "quasirandom": "luthier.tune.search.quasirandom:QuasiRandomSearch",
    "evolution": "luthier.tune.search.evolution:EvolutionSearch",
    "cmaes": "luthier.tune.search.cmaes:CMAESSearch",
    "gp": "luthier.tune.search.gp:GPSearch",
    "auto": "luthier.tune.search.auto:AutoSearch",
    "ax": "luthier.tune.search.ax:AxSearch",
    "zoopt": "luthier.tune.search.zoopt:ZOOptSearch",
}


def searcher_of(search_alg: Any, space: Space, num_samples: int, seed: int, goals: tuple[Goal, ...] = ()) -> Searcher:
    """Return the searcher that *search_alg* (an object, a name, or None) describes over *space*.

    Raises:
        BadArgument: it is unknown, or does not fit *space* or *goals*.
    """
    chosen = described(search_alg)
    if isinstance(chosen, BasicVariantGenerator):
        return chosen.build(space, num_samples, seed)
    if isinstance(chosen, UserSearcher):
        if isinstance(chosen, SpaceSearcher):
            chosen.expect(num_samples)
        return policy_of(chosen, space, goals, seed)
    searcher: Searcher = chosen
    return searcher


def described(search_alg: Any) -> Any:
    """Return the description that *search_alg* stands for: random search where it is None, or by its name."""
    if search_alg is None:
        return BasicVariantGenerator()
    if isinstance(search_alg, str):
        return create_searcher(search_alg)
    if isinstance(search_alg, (BasicVariantGenerator, UserSearcher)):
        return search_alg
    if isinstance(search_alg, type) and issubclass(search_alg, (BasicVariantGenerator, UserSearcher)):
        raise BadArgumentType("search_alg", search_alg, f"an object: {search_alg.__name__}(...)", "that is the class")
    if any(cls.__module__.startswith("ray.") for cls in type(search_alg).__mro__):
        wanted = "the class of the same name in luthier.tune.search, or one that inherits from its Searcher"
        raise BadArgumentType("search_alg", search_alg, wanted, "it is Ray's")
    if callable(getattr(search_alg, "suggest", None)):
        wanted = "an object of a class that inherits from luthier.tune.search.Searcher"
        raise BadArgumentType("search_alg", search_alg, wanted, f"{type(search_alg).__name__} has suggest only")
    if callable(getattr(search_alg, "ask", None)) and callable(getattr(search_alg, "tell", None)):
        return search_alg
    wanted = "a search algorithm of luthier.tune.search, an object with ask and tell, or one of " + _known()
    raise BadArgumentType("search_alg", search_alg, wanted)


def create_searcher(search_alg: str, **arguments: Any) -> Any:
    """Return the search algorithm of that name, made with those of *arguments* that it takes.

    Raises:
        BadArgument: there is none.

    >>> type(create_searcher("random")).__name__, type(create_searcher("tpe")).__name__
    ('BasicVariantGenerator', 'TPESearch')
    """
    if not isinstance(search_alg, str) or search_alg.lower() not in SEARCH_ALGS:
        raise BadArgument("search_alg", search_alg, f"one of {_known()}")
    made = SEARCH_ALG_IMPORT[search_alg.lower()]()
    taken = signature(made).parameters
    unknown = sorted(arguments.keys() - taken.keys() - {"metric", "mode"})  # which all may be given: some do not look
    if unknown:
        known = ", ".join(taken)
        log.warning("%s does not take %s, which has no effect; it takes %s.", made.__name__, ", ".join(unknown), known)
    return made(**{name: value for name, value in arguments.items() if name in taken})


def _class_at(path: str) -> Any:
    module, _, noun = path.partition(":")
    return getattr(import_module(module), noun)


SEARCH_ALG_IMPORT = {name: partial(_class_at, path) for name, path in SEARCH_ALGS.items()}


def _known() -> str:
    return ", ".join(sorted(SEARCH_ALGS))


def spoken(search_alg: Any, policy: Any, space: Space) -> str:
    """Return what is searched with, in words: of *search_alg* as described, and of the *policy* that it builds.

    >>> from luthier.core.space import Space
    >>> spoken(create_searcher("tpe"), None, Space({}))
    'TPE search'
    """
    while isinstance(search_alg, Around):
        search_alg = search_alg.searcher
    if isinstance(search_alg, BasicVariantGenerator):
        return "grid search" if space.grid_size > 1 else "random search"
    choice = None
    while policy is not None and choice is None:  # behind points that are given, a limit and so on
        choice, policy = getattr(policy, "choice", None), getattr(policy, "searcher", None)
    name = type(search_alg).__name__.removesuffix("Search")
    return f"{name} search ({choice})" if choice else f"{name} search"
