"""Spaces as scikit-learn's searches take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.search import sample

_SCIPY = "scipy's uniform, loguniform, reciprocal or randint, a list, or a domain such as tune.loguniform(1e-4, 1)"


def space_of(distributions: object, *, pairs: bool = False) -> dict[str, Any]:
    """Return the search space that ``param_distributions`` stands for.

    Args:
        distributions: parameter's name to a list of values, a frozen distribution of scipy's, a domain of Tune's, or a
            range of skopt's: ``(low, high, "uniform")`` or ``(low, high, "log-uniform")``.
        pairs: whether ``(low, high)`` is a range, too, not two values.

    Raises:
        BadArgument: a value is none of these.

    >>> space_of({"alpha": [0.1, 1.0]})["alpha"].categories
    [0.1, 1.0]
    """
    if not isinstance(distributions, Mapping) or not distributions:
        raise BadArgumentType("param_distributions", distributions, "a dict from parameters' names to their values")
    return {
        name: _domain(f"param_distributions[{name!r}]", value, pairs=pairs) for name, value in distributions.items()
    }


def grid_of(grid: object) -> dict[str, Any]:
    """Return the search space that ``param_grid`` stands for: each combination once.

    Raises:
        BadArgument: a value is no list.
    """
    if not isinstance(grid, Mapping) or not grid:
        raise BadArgumentType("param_grid", grid, "a dict from parameters' names to lists of values")
    return {name: {"grid_search": _values(f"param_grid[{name!r}]", values)} for name, values in grid.items()}


def _domain(argument: str, value: Any, *, pairs: bool) -> Any:
    if isinstance(value, sample.Domain):
        return value
    if isinstance(value, tuple):
        low, high, prior = (*value, "uniform" if pairs else None, None)[:3]
        if prior in ("uniform", "log-uniform") and len(value) <= 3 and {type(low), type(high)} <= {int, float}:  # noqa: PLR2004
            return _range(argument, low, high, log=prior == "log-uniform")
    if hasattr(value, "rvs"):
        return _of_scipy(argument, value)
    return sample.Categorical(_values(argument, value))


def _range(argument: str, low: float, high: float, *, log: bool) -> Any:
    if not (0 if log else float("-inf")) < low < high:
        raise BadArgument(argument, (low, high), "a range from a lower to a higher number, above 0 for 'log-uniform'")
    if isinstance(low, int) and isinstance(high, int):
        ranged: Any = sample.Integer(low, high + 1)
    else:
        ranged = sample.Float(float(low), float(high))
    return ranged.loguniform() if log else ranged.uniform()


def _values(argument: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        raise BadArgument(argument, values, _SCIPY)
    found = [value.item() if type(value).__module__ == "numpy" and not getattr(value, "ndim", 0) else value
             for value in values]  # fmt: skip
    if not found:
        raise BadArgument(argument, values, "at least one value")
    return found


def _of_scipy(argument: str, frozen: Any) -> Any:
    name = getattr(getattr(frozen, "dist", None), "name", "")
    if name not in ("uniform", "loguniform", "reciprocal", "randint"):
        raise BadArgument(argument, frozen, _SCIPY, "there is no such domain")
    lower, upper = frozen.support()
    if name == "randint":
        return sample.Integer(int(lower), int(upper) + 1).uniform()
    ranged = sample.Float(float(lower), float(upper))
    return ranged.uniform() if name == "uniform" else ranged.loguniform()
