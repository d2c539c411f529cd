"""``hyperparam_mutations`` as users write them: to the core's form, and into a search space that lacks them."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Categorical, Domain, Function, Grid, described
from luthier.tune.search.chance import repeatable

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.rng import Rng
    from luthier.core.terms import Config
    from luthier.schedulers.explore import Mutation

log = logging.getLogger("luthier")

_WANTED = "a list of options, a domain such as tune.uniform(0, 1), a function without arguments, or a dict of these"


def mutations_of(given: object, where: str = "hyperparam_mutations") -> dict[str, Mutation]:
    """Return the mutations that *given*, a dict, describes.

    A function's use of the global ``random`` and ``numpy.random`` is repeatable: they are seeded around each call.

    Raises:
        BadArgument: one of them cannot be used; the text tells which.

    >>> mutations_of({"lr": [0.1, 0.2], "net": {"width": [8, 16]}})
    {'lr': [0.1, 0.2], 'net': {'width': [8, 16]}}
    """
    if not isinstance(given, Mapping):
        raise BadArgumentType(where, given, "a dict of hyperparameter to what it may become")
    found: dict[str, Mutation] = {}
    for name, value in given.items():
        place = f"{where}[{name!r}]"
        if not isinstance(name, str):
            raise BadArgumentType(place, value, "names that are strings")
        found[name] = _mutation(value, place)
    return found


def _mutation(value: Any, where: str) -> Mutation:
    domain = described(value, where)
    if isinstance(domain, Function):
        raise BadArgument(where, value, _WANTED, "tune.sample_from cannot be drawn from by itself")
    if isinstance(domain, Grid):
        raise BadArgument(where, value, "a list of options", "a grid cannot be drawn from")
    if isinstance(domain, Domain):
        return domain
    if isinstance(value, Mapping):
        if not value:
            raise BadArgument(where, value, "at least one hyperparameter in it")
        return mutations_of(value, where)
    if isinstance(value, (list, tuple)):
        if not value:
            raise BadArgument(where, value, "at least one option")
        return list(value)
    if callable(value) and not isinstance(value, type):
        return Function(_without_arguments(value), repeatable)
    raise BadArgumentType(where, value, _WANTED)


def _without_arguments(function: Callable[[], Any]) -> Callable[[], Any]:
    def draw() -> Any:  # a function with defaults must not be taken for one that wants the config
        return function()

    return draw


def custom_of(explore: Callable[[Config], Config]) -> Callable[[Config, Rng], Config]:
    """Return *explore*, a user's function, with its chance made repeatable."""
    return lambda config, rng: repeatable(explore, config, rng)


def filled(param_space: Mapping[str, Any], mutations: Mapping[str, Mutation], where: str = "") -> dict[str, Any]:
    """Return *param_space* with what it lacks of *mutations*, to be drawn from there.

    A name that looks like another one of the space is pointed out in a warning.

    Raises:
        BadArgument: there is a single value where *mutations* have a dict.

    >>> sorted(filled({"lr": 0.1}, {"lr": [0.1, 0.2], "net": {"width": [8, 16]}}))
    ['lr', 'net']
    """
    space = dict(param_space)
    for name, mutation in mutations.items():
        if name not in space:
            alike = difflib.get_close_matches(name, [known for known in param_space if known not in mutations], 1)
            if alike:
                log.warning(
                    "hyperparam_mutations has %r, which param_space lacks (it has %r): each trial draws one.",
                    f"{where}{name}", f"{where}{alike[0]}",
                )  # fmt: skip
            space[name] = _drawable(mutation)
        elif isinstance(mutation, Mapping):
            inner = space[name]
            if not isinstance(inner, Mapping) or described(inner) is not None:
                wanted = f"a dict, since hyperparam_mutations has one for {where}{name}"
                raise BadArgument(f"param_space[{name!r}]", inner, wanted)
            space[name] = filled(inner, mutation, f"{where}{name}/")
    return space


def _drawable(mutation: Mutation) -> Any:
    if isinstance(mutation, Mapping):
        return {name: _drawable(inner) for name, inner in mutation.items()}
    return mutation if isinstance(mutation, (Domain, Function)) else Categorical(mutation)
