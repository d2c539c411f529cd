"""What schedulers ask of their arguments beside numbers; each complaint says what was given and what would do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import Goal

if TYPE_CHECKING:
    from typing import Any

    from luthier.core.policy import ExperimentView


MOST_RUNGS = 10_000


def direction(given: Any, *, needed: bool = False, why: str = "") -> None:
    """See that *given*, an argument called ``mode``, is ``"min"`` or ``"max"``; or None, unless it is *needed*.

    Raises:
        BadArgument: it is not.

    >>> direction("min")
    """
    if given is None and not needed:
        return
    if not isinstance(given, str) or given not in {"min", "max"}:
        raise BadArgument("mode", given, "'min' or 'max'", why)


def check_spread(factor: float, least: float, most: float, rungs: int = MOST_RUNGS) -> None:
    """See that from *least* to *most*, each *factor* times the one before, there are no more than so many *rungs*.

    Args:
        factor: the argument called ``reduction_factor``, above 1.
        least: the lowest rung, above 0.
        most: the highest, *least* or more.
        rungs: how many there may be.

    Raises:
        BadArgument: there would be more.

    >>> check_spread(3, 1, 81)
    """
    wide = math.log(most) - math.log(least)
    if wide / math.log(factor) > rungs:
        wanted = f"a number >= {math.exp(wide / rungs) * 1.000001:.6g}"
        raise BadArgument("reduction_factor", factor, wanted, f"there would be more than {rungs} rungs")


def rung_at(least: float, factor: float, number_: int) -> float:
    """Return ``least * factor**number_``; infinity where that is beyond all floats.

    >>> rung_at(1, 3, 4), rung_at(0.125, 2.0**600, 2) > 1e300
    (81, True)
    """
    try:
        rung: float = least * factor**number_  # whole where both are
        return rung
    except OverflowError:  # the power alone is
        return math.prod([factor] * number_, start=float(least))


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
