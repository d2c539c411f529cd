"""What schedulers ask of their arguments; each complaint names the argument, what was given and what would do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import Goal, number

if TYPE_CHECKING:
    from luthier.core.policy import ExperimentView


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


def check(argument: str, given: object, holds: bool, wanted: str) -> None:
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


def metric_name(argument: str, given: object, wanted: str = "the name of a metric that counts time or steps") -> str:
    """Return *given*, the name of a metric.

    Raises:
        BadArgumentType: it is no string, or an empty one.
    """
    if not isinstance(given, str) or not given:
        raise BadArgumentType(argument, given, wanted)
    return given


def own_goal(given: object) -> Goal | None:
    """Return *given*, a goal or None.

    Raises:
        BadArgumentType: it is neither.
    """
    if given is not None and not isinstance(given, Goal):
        raise BadArgumentType("goal", given, "a Goal, or None for the experiment's own")
    return given


def goal_in(own: Goal | None, experiment: ExperimentView, who: str) -> Goal:
    """Return what *who* compares trials by: its *own* goal, else the experiment's first.

    Raises:
        BadArgument: there is neither.
    """
    if own is not None:
        return own
    if not experiment.goals:
        raise BadArgument("metric", None, f"the metric and mode that {who} is to compare trials by")
    return experiment.goals[0]
