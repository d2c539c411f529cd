"""Spaces of bayesian-optimization's: bounds and categories by name, as a space of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.space import Categorical, Domain, Float, Integer, Space, described
from luthier.search.optuna_space import nested

if TYPE_CHECKING:
    from collections.abc import Mapping


def converted(space: Mapping[str, Any]) -> Space:
    """Return *space*, a dict of bounds and categories (and of domains and constants, if you like), as a space of ours.

    ``(lower, upper)`` are floats, ``(lower, upper, int)`` whole numbers, *upper* among them; any other list or tuple is
    a choice.  A ``/`` in a name makes a dict of it.

    Raises:
        BadArgument: it is none of these.

    >>> converted({"x": (0, 10), "n": (1, 3, int), "a/kind": ["p", "q"]}).description["a"]
    {'kind': Categorical(['p', 'q'])}
    """
    return Space(nested({str(name): _read(given, f"space[{name!r}]") for name, given in space.items()}))


def _read(given: Any, where: str) -> Any:
    if isinstance(given, dict) and described(given, where) is None:
        return {key: _read(item, f"{where}[{key!r}]") for key, item in given.items()}
    if type(given).__module__ == "bayes_opt.parameter":
        return _parameter(given, where)
    given = given.tolist() if hasattr(given, "tolist") else given  # bounds were arrays once
    if not isinstance(given, (list, tuple)) or described(given, where) is not None:
        return given
    numbers = [item for item in given[:2] if isinstance(item, (int, float)) and not isinstance(item, bool)]
    if len(numbers) == 2 and (len(given) == 2 or list(given[2:]) in ([float], [int])):  # noqa: PLR2004
        try:
            return _between(numbers, whole=list(given[2:]) == [int])
        except BadArgument as error:
            raise BadArgument(where, given, "(lower, upper)", str(error)) from None
    if any(isinstance(item, (Domain, type)) for item in given):
        raise BadArgument(where, given, "(lower, upper), (lower, upper, int), or a list of options")
    return Categorical(given)


def _between(bounds: Any, *, whole: bool) -> Domain:
    lower, upper = bounds
    return Integer(int(lower), int(upper)) if whole else Float(float(lower), float(upper))


def _parameter(given: Any, where: str) -> Any:
    match type(given).__name__:
        case "FloatParameter" | "IntParameter" as kind:
            return _between(given.bounds, whole=kind == "IntParameter")
        case "CategoricalParameter":
            return Categorical(given.categories)
    raise BadArgument(where, given, "FloatParameter, IntParameter or CategoricalParameter", "it is one of your own")
