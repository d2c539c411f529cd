"""Ray Tune's functions for search spaces, as a sweep's file says them; :mod:`luthier.tune` has what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from luthier.core.errors import BadArgument
from luthier.sweeps.config.written import written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.sweeps.calls import Call


def uniform(lower: float, upper: float) -> Call:
    """Draw a float from [*lower*, *upper*].

    >>> uniform(0, 1)
    tune.uniform(0, 1)
    """
    return written("tune.uniform", lower, upper)


def quniform(lower: float, upper: float, q: float) -> Call:
    """Draw a float from [*lower*, *upper*], rounded to a multiple of *q*."""
    return written("tune.quniform", lower, upper, q)


def loguniform(lower: float, upper: float) -> Call:
    """Draw a float from [*lower*, *upper*], each order of magnitude alike; the bounds are no logarithms.

    >>> loguniform(1e-4, 1e-1)
    tune.loguniform(0.0001, 0.1)
    """
    return written("tune.loguniform", lower, upper)


def qloguniform(lower: float, upper: float, q: float) -> Call:
    """Draw as :func:`loguniform` does, rounded to a multiple of *q*."""
    return written("tune.qloguniform", lower, upper, q)


def randn(mean: float = 0.0, sd: float = 1.0) -> Call:
    """Draw a normally distributed float."""
    return written("tune.randn", mean, sd)


def qrandn(mean: float, sd: float, q: float) -> Call:
    """Draw a normally distributed float, rounded to a multiple of *q*."""
    return written("tune.qrandn", mean, sd, q)


def randint(lower: int, upper: int) -> Call:
    """Draw a whole number from *lower* up to, not including, *upper*."""
    return written("tune.randint", lower, upper)


def qrandint(lower: int, upper: int, q: int = 1) -> Call:
    """Draw a multiple of *q* from *lower* to *upper*, inclusive unless *q* is 1."""
    return written("tune.qrandint", lower, upper, q)


def lograndint(lower: int, upper: int) -> Call:
    """Draw a whole number from *lower* up to, not including, *upper*, each order of magnitude alike."""
    return written("tune.lograndint", lower, upper)


def qlograndint(lower: int, upper: int, q: int) -> Call:
    """Draw a multiple of *q* from *lower* to *upper*, inclusive unless *q* is 1, each order of magnitude alike."""
    return written("tune.qlograndint", lower, upper, q)


def choice(categories: Iterable[Any]) -> Call:
    """Draw one of *categories*, which may be dicts with domains of their own.

    >>> choice([{"name": "adam"}, {"name": "sgd", "momentum": uniform(0.5, 0.99)}])
    tune.choice([{'name': 'adam'}, {'name': 'sgd', 'momentum': tune.uniform(0.5, 0.99)}])
    """
    return written("tune.choice", categories)


def grid_search(values: Iterable[Any]) -> Call:
    """Try each of *values*; several grids give all combinations.

    >>> grid_search([16, 32])
    tune.grid_search([16, 32])
    """
    return written("tune.grid_search", values)


def sample_from(func: Any) -> NoReturn:
    """Refuse: what computes a value is code, and a sweep's file holds none.

    Raises:
        BadArgument: always.
    """
    wanted = "constants and domains, and compute in the program"
    raise BadArgument("sample_from", func, wanted, "a function cannot be written into a file, nor run from one")
