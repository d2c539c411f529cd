"""Spaces of scikit-optimize's: what users write for it as a space of ours, and its own dimensions as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.space import Categorical, Domain, Float, Integer, Space, described
from luthier.search.optuna_space import nested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.rng import Rng
    from luthier.core.space import Axis
    from luthier.core.terms import Config

_PRIORS = ("uniform", "log-uniform")


def converted(space: Mapping[str, Any]) -> Space:
    """Return *space*, a dict of ranges and categories (and of domains and constants, if you like), as a space of ours.

    ``(low, high)`` are whole numbers where both are, else floats, *high* among them; a third item is the prior,
    ``"uniform"`` or ``"log-uniform"``.  Any other list or tuple is a choice, and ``Real``, ``Integer`` and
    ``Categorical`` of ``skopt.space`` are themselves.  A ``/`` in a name makes a dict of it.

    Raises:
        BadArgument: it is none of these.

    >>> converted({"x": (0.0, 1.0), "n": (1, 99, "log-uniform"), "a/kind": ["p", "q"]}).description["a"]
    {'kind': Categorical(['p', 'q'])}
    """
    return Space(nested({str(name): _read(given, f"space[{name!r}]") for name, given in space.items()}))


def is_dimension(given: object) -> bool:
    """Whether *given* is a dimension of scikit-optimize's."""
    return any(c.__module__ == "skopt.space.space" and c.__name__ == "Dimension" for c in type(given).__mro__)


def named(dimensions: Sequence[Any], names: Sequence[str]) -> Space:
    """Return the space of *dimensions* of scikit-optimize's with these *names*."""
    return Space(nested({name: _dimension(d, f"space {name!r}") for name, d in zip(names, dimensions, strict=True)}))


def _read(given: Any, where: str) -> Any:
    if is_dimension(given):
        return _dimension(given, where)
    if isinstance(given, dict) and described(given, where) is None:
        return {key: _read(item, f"{where}[{key!r}]") for key, item in given.items()}
    if not isinstance(given, (list, tuple)) or described(given, where) is not None:
        return given
    bounds, rest = given[:2], given[2:]
    numbers = len(bounds) == 2 and all(isinstance(b, (int, float)) and not isinstance(b, bool) for b in bounds)  # noqa: PLR2004
    if isinstance(given, tuple) and numbers and (not rest or rest[0] in _PRIORS):
        whole = all(isinstance(bound, int) for bound in bounds)
        return _number(whole, bounds, rest[:1] == ("log-uniform",), where)
    if any(isinstance(item, (Domain, type)) or is_dimension(item) for item in given):
        raise BadArgument(where, given, "(low, high), (low, high, 'log-uniform') or a list of options")
    return Categorical(given)


def _dimension(given: Any, where: str) -> Any:
    match type(given).__name__:
        case "Real" | "Integer" as kind:
            return _number(kind == "Integer", (given.low, given.high), given.prior == "log-uniform", where)
        case "Categorical":
            return Categorical(given.categories)
    raise BadArgument(where, given, "Real, Integer or Categorical of skopt.space", "it is one of your own")


def _number(whole: bool, bounds: Sequence[Any], log: bool, where: str) -> Domain:
    low, high = bounds
    try:
        return Integer(int(low), int(high), log) if whole else Float(float(low), float(high), log)
    except BadArgument as error:
        raise BadArgument(where, tuple(bounds), "(low, high)", str(error)) from None


class Dimensions:
    """Dimensions of scikit-optimize's as they are, for an ``Optimizer`` of the user's.

    Args:
        space: the same in our words, perhaps with constants beside.
        names: of the dimensions, in their order.
    """

    def __init__(self, space: Space, names: Sequence[str]) -> None:
        self.space = space
        by_path = {axis.path: axis for axis in space.axes}
        self.parts: Sequence[Axis] = [by_path[tuple(name.split("/"))] for name in names]

    def config(self, values: Sequence[Any], rng: Rng) -> Config:
        """Return the config at *values*, one for each dimension."""
        units = [0.5] * len(self.space.axes)
        for axis, value in zip(self.parts, values, strict=True):
            units[axis.number] = axis.domain.to_unit(value)
        return self.space.decode(units, rng)

    def values(self, config: Config) -> list[Any] | None:
        """Return the values of *config*; None if it is not of this space."""
        try:
            inside = self.space.decode(self.space.encode(config))
        except BadArgument:
            return None
        found: list[Any] = []
        for axis in self.parts:
            value: Any = inside
            for key in axis.path:
                value = value[key]
            found.append(value)
        return found
