"""Chance from outside: seeds and generators of numpy, and functions of users that call the global ones."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.rng import Rng, rng_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def seed_of(random_state: object) -> int | None:
    """Return *random_state*, an int, a numpy generator (which moves on by one draw) or None, as a seed or None.

    Raises:
        BadArgument: for anything else.
    """
    if random_state is None:
        return None
    if not isinstance(random_state, bool) and hasattr(random_state, "__index__"):
        return int(random_state.__index__())
    if hasattr(random_state, "integers"):  # numpy.random.Generator
        return int(random_state.integers(0, 2**63))
    if hasattr(random_state, "randint"):  # numpy.random.RandomState
        return int(random_state.randint(0, 2**63, dtype="int64"))
    raise BadArgument("random_state", random_state, "an int, a numpy generator or None")


def rng_of(random_state: object) -> Rng:
    """Return a generator for *random_state*; None stands for the global one, as ``np.random.seed`` left it."""
    if isinstance(random_state, Rng):
        return random_state
    seed = seed_of(random_state)
    if seed is None:
        numpy = sys.modules.get("numpy.random")
        if numpy is None:
            import random

            seed = random.getrandbits(63)
        else:
            seed = int(numpy.randint(0, 2**63, dtype="int64"))
    return rng_at(seed)


def repeatable(function: Callable[[Any], Any], config: Any, rng: Rng) -> Any:
    """Return ``function(config)``, called with the global generators seeded from *rng*; they are put back afterwards.

    The generators are those of ``random`` and, where it is in use, ``numpy.random``.
    """
    known = "numpy.random" in sys.modules
    with tamed(rng):
        value = function(config)
    if not known and "numpy.random" in sys.modules:  # the function itself imported it: once more, with its seed
        with tamed(rng):
            value = function(config)
    return value


@contextlib.contextmanager
def tamed(rng: Rng) -> Iterator[None]:
    """Seed the global generators from *rng* for as long as this lasts; they are put back afterwards.

    The generators are those of ``random`` and, where it is in use when this begins, ``numpy.random``.

    >>> import random
    >>> def drawn():
    ...     with tamed(rng_at(1)):
    ...         return random.random()
    >>> drawn() == drawn()
    True
    """
    import random

    seed, before = rng.seed32(), random.getstate()
    numpy = sys.modules.get("numpy.random")
    numpy_before = None if numpy is None else numpy.get_state()
    try:
        random.seed(seed)
        if numpy is not None:
            numpy.seed(seed)
        yield
    finally:
        random.setstate(before)
        if numpy is not None:
            numpy.set_state(numpy_before)
