"""How far a trial is: the metric that counts its time, or its steps."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.core.goal import lookup, number
from luthier.core.terms import AUTOMATIC
from luthier.schedulers.arguments import metric_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Clock:
    """Reads *time_attr*, in whatever unit it counts: iterations, seconds, samples.

    It keeps nothing, so that a policy's state stays a function of the news.  Who goes by it skips what it cannot read;
    the driver warns of that once (:class:`luthier.tune.pace.PaceWatch`), or :meth:`demand` raises.

    Args:
        time_attr: name of the metric; ``a/b`` descends nested metrics.

    Raises:
        BadArgumentType: that is no name.

    >>> Clock("epoch").read({"epoch": 3, "loss": 0.1})
    3.0
    """

    __slots__ = ("time_attr",)

    def __init__(self, time_attr: str) -> None:
        self.time_attr = metric_name("time_attr", time_attr)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.time_attr!r})"

    def read(self, metrics: Mapping[str, object]) -> float | None:
        """Return the time in *metrics*; None where there is no number under its name, NaN among them.

        >>> Clock("epoch").read({"epoch": float("nan")}) is None
        True
        """
        value = metrics.get(self.time_attr)
        if value.__class__ is float:
            now: float | None = value
        else:
            now = number(lookup(metrics, self.time_attr))
        return now if now == now else None  # noqa: PLR0124 (NaN, the fast way)

    def demand(self, metrics: Mapping[str, object], who: str) -> float:
        """Return the time in *metrics*, without which *who* cannot go on.

        Raises:
            BadArgument: it is missing or no number; the text names it and what the result has.

        >>> Clock("epochs").demand({"epoch": 1, "loss": 0.5}, "PBT")
        Traceback (most recent call last):
        luthier.core.errors.BadArgument: time_attr='epochs' cannot be used: PBT needs it in each result, and this one \
has 'epoch', 'loss'; give the name of a number that each result has and that grows ('epoch'?).
        """
        now = self.read(metrics)
        if now is not None:
            return now
        there = sorted(_numbers(metrics), key=AUTOMATIC.__contains__)  # the user's own first
        near = difflib.get_close_matches(self.time_attr, there, n=1)
        raise BadArgument(
            "time_attr",
            self.time_attr,
            f"the name of a number that each result has and that grows{f' ({near[0]!r}?)' if near else ''}",
            f"{who} needs it in each result, and this one has {', '.join(map(repr, there)) or 'no number at all'}",
        )


def _numbers(metrics: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}/")
        elif number(value) is not None:
            yield f"{prefix}{name}"
