"""What arguments must be; each complaint names the argument, what was given and what would do."""

from __future__ import annotations

import math

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import number


def flag(argument: str, given: object) -> bool:
    """Return *given*, True or False (numpy's too, and 1 and 0).

    Raises:
        BadArgumentType: it is neither.

    >>> flag("synch", True)
    True
    """
    if isinstance(given, bool):
        return given
    found = number(given)
    if found not in {0.0, 1.0}:
        raise BadArgumentType(argument, given, "True or False")
    return bool(found)


def amount(argument: str, given: object) -> float:
    """Return *given*, a number.

    Raises:
        BadArgumentType: it is none, or a bool.

    >>> amount("max_t", 9)
    9.0
    """
    if isinstance(given, bool) or (found := number(given)) is None:
        raise BadArgumentType(argument, given, "a number")
    return found


def check(argument: str, given: object, holds: bool, wanted: str) -> None:  # noqa: FBT001 (what the complaint is about)
    """Complain unless it *holds* that *given* is what is *wanted*.

    Raises:
        BadArgument: it does not hold.
    """
    if not holds:
        raise BadArgument(argument, given, wanted)


def more_than(argument: str, given: object, least: float) -> float:
    """Return *given*, a finite number above *least*.

    >>> more_than("reduction_factor", 3, 1)
    3.0
    """
    found = amount(argument, given)
    check(argument, given, least < found < math.inf, f"a finite number > {least:g}")
    return found


def at_least(argument: str, given: object, least: float) -> float:
    """Return *given*, a finite number of *least* or more.

    >>> at_least("grace_period", 1, 1)
    1.0
    """
    found = amount(argument, given)
    check(argument, given, least <= found < math.inf, f"a finite number >= {least:g}")
    return found


def whole(argument: str, given: object, least: int) -> int:
    """Return *given*, a whole number of *least* or more.

    >>> whole("brackets", 3.0, 1)
    3
    """
    found = amount(argument, given)
    check(argument, given, least <= found < math.inf and int(found) == found, f"a whole number >= {least}")
    return int(found)


def share(argument: str, given: object, most: float = 1.0) -> float:
    """Return *given*, a number from 0 to *most*.

    >>> share("quantile_fraction", 0.25, 0.5)
    0.25
    """
    found = amount(argument, given)
    check(argument, given, 0 <= found <= most, f"a number from 0 to {most:g}")
    return found
