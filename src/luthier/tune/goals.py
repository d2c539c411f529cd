"""What is optimised, as users say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.core.goal import Goal

if TYPE_CHECKING:
    from collections.abc import Sequence


def goals_of(metric: str | Sequence[str] | None, mode: str | Sequence[str] | None) -> tuple[Goal, ...]:
    """Return the goals that *metric* and *mode* spell: one each, or a list of either.

    Raises:
        BadArgument: they do not fit each other.

    >>> [goal.mode for goal in goals_of(["acc", "latency"], ["max", "min"])]
    ['max', 'min']
    """
    if metric is None and mode is None:
        return ()
    if metric is None or mode is None:
        given, missing = ("metric", "mode") if mode is None else ("mode", "metric")
        raise BadArgument(missing, None, f"{missing} beside {given}")
    metrics = [metric] if isinstance(metric, str) else list(metric)
    modes = [mode] if isinstance(mode, str) else list(mode)
    if len(modes) == 1:
        modes *= len(metrics)
    if not metrics or len(metrics) != len(modes):
        raise BadArgument("mode", mode, f"one for each of the {len(metrics)} metrics")
    if len(set(metrics)) < len(metrics):
        raise BadArgument("metric", metric, "different metrics")
    return tuple(Goal(name, direction) for name, direction in zip(metrics, modes, strict=True))
