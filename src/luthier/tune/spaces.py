"""The functions that describe a search space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.tune.search.sample import NOT_GIVEN, Categorical, Float, Function, Integer, warn_of_base
from luthier.tune.search.variant_generator import grid_search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "choice",
    "grid_search",
    "lograndint",
    "loguniform",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "sample_from",
    "uniform",
]


def uniform(lower: float, upper: float) -> Float:
    """Draw a float uniformly from [*lower*, *upper*].

    Raises:
        BadArgument: unless *lower* < *upper*, both finite.

    >>> 1.0 <= uniform(1, 10).sample(random_state=7) <= 10.0
    True
    """
    return Float(lower, upper).uniform()


def quniform(lower: float, upper: float, q: float) -> Float:
    """Draw a float uniformly from [*lower*, *upper*] and round it to a multiple of *q*.

    The two ends are drawn half as often as what lies between them.

    Raises:
        BadArgument: unless *lower* < *upper* are multiples of *q* > 0.

    >>> quniform(0.0, 1.0, 0.25).sample(random_state=7) in (0.0, 0.25, 0.5, 0.75, 1.0)
    True
    """
    return Float(lower, upper).uniform().quantized(q)


def loguniform(lower: float, upper: float, base: object = NOT_GIVEN) -> Float:
    """Draw a float from [*lower*, *upper*] with a uniform logarithm: each order of magnitude is equally likely.

    Args:
        lower: lower bound, above 0: not its logarithm.
        upper: upper bound.
        base: no effect; deprecated.

    Raises:
        BadArgument: unless 0 < *lower* < *upper*.

    >>> 1e-4 <= loguniform(1e-4, 1e-1).sample(random_state=7) <= 1e-1
    True
    """
    warn_of_base(base)
    return Float(lower, upper).loguniform()


def qloguniform(lower: float, upper: float, q: float, base: object = NOT_GIVEN) -> Float:
    """Draw as :func:`loguniform` does and round to a multiple of *q*, of which both bounds must be such.

    Raises:
        BadArgument: unless 0 < *lower* < *upper* are multiples of *q* > 0.

    >>> qloguniform(0.5, 8, 0.5).sample(random_state=7) % 0.5
    0.0
    """
    warn_of_base(base)
    return Float(lower, upper).loguniform().quantized(q)


def randn(mean: float = 0.0, sd: float = 1.0) -> Float:
    """Draw a float from a normal distribution.

    Raises:
        BadArgument: unless *sd* > 0.

    >>> randn(10, 2).sample(random_state=7) == randn(10, 2).sample(random_state=7)
    True
    """
    return Float(None, None).normal(mean, sd)


def qrandn(mean: float, sd: float, q: float) -> Float:
    """Draw a float from a normal distribution and round it to a multiple of *q*.

    Raises:
        BadArgument: unless *sd* > 0 and *q* > 0.

    >>> qrandn(10, 2, 0.5).sample(random_state=7) % 0.5
    0.0
    """
    return Float(None, None).normal(mean, sd).quantized(q)


def randint(lower: int, upper: int) -> Integer:
    """Draw a whole number uniformly from *lower* to *upper*, exclusive.

    Raises:
        BadArgument: unless *lower* < *upper*.

    >>> set(randint(0, 3).sample(size=50, random_state=7))
    {0, 1, 2}
    """
    return Integer(lower, upper).uniform()


def qrandint(lower: int, upper: int, q: int = 1) -> Integer:
    """Draw one of the multiples of *q* from *lower* to *upper*, each equally likely.

    *upper* is inclusive, except where *q* is 1.

    Raises:
        BadArgument: unless *lower* < *upper*, *q* >= 1, and a multiple lies between the bounds.

    >>> sorted(set(qrandint(2, 8, 2).sample(size=50, random_state=7)))
    [2, 4, 6, 8]
    """
    return Integer(lower, upper).uniform().quantized(q)


def lograndint(lower: int, upper: int, base: object = NOT_GIVEN) -> Integer:
    """Draw a whole number from *lower* to *upper*, exclusive, with a uniform logarithm.

    Raises:
        BadArgument: unless 0 < *lower* < *upper*.

    >>> 1 <= lograndint(1, 1000).sample(random_state=7) < 1000
    True
    """
    warn_of_base(base)
    return Integer(lower, upper).loguniform()


def qlograndint(lower: int, upper: int, q: int, base: object = NOT_GIVEN) -> Integer:
    """Draw one of the multiples of *q* from *lower* to *upper* with a uniform logarithm.

    *upper* is inclusive, except where *q* is 1.

    Raises:
        BadArgument: unless 0 < *lower* < *upper*, *q* >= 1, and a multiple lies between the bounds.

    >>> qlograndint(10, 1000, 10).sample(random_state=7) % 10
    0
    """
    warn_of_base(base)
    return Integer(lower, upper).loguniform().quantized(q)


def choice(categories: Iterable[Any]) -> Categorical:
    """Draw one of *categories*, each equally likely.

    Any objects will do.  A category that is or holds domains of its own makes the space conditional: they are drawn
    where it is chosen.

    Raises:
        BadArgument: if there is none.

    >>> optimizer = choice([{"name": "adam"}, {"name": "sgd", "momentum": uniform(0.5, 0.99)}])
    >>> sorted(optimizer.sample(random_state=7))
    ['momentum', 'name']
    """
    return Categorical(categories).uniform()


def sample_from(func: Callable[..., Any]) -> Function:
    """Compute a value with *func*, from the config or from nothing.

    The config is seen by key (``config["a"]``), by attribute (``config.a``) and the older way (``spec.config.a``).
    Functions may ask for each other's values; they are called in an order that works.  ``random`` and ``np.random``
    are seeded around each call.

    Raises:
        BadArgument: if *func* takes neither one argument nor none.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Space
    >>> space = Space({"b": sample_from(lambda spec: spec.config.a * 2), "a": choice([21])})
    >>> space.sample(rng_at(7))
    {'b': 42, 'a': 21}
    """
    return Function(func)
