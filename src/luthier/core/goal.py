"""What is to be optimised: metric and mode, resolved once, turned into scores that are always minimised."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from luthier.core.errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

Score: TypeAlias = float  # lower is better; inf is the worst and stands for NaN too

WORST = float("inf")


def lookup(metrics: Mapping[str, object], path: str) -> object | None:
    """Return the metric at *path*, which may descend nested dicts by ``/``; None where it is missing.

    A key that holds a slash itself wins over the descent.

    >>> lookup({"eval": {"loss": 0.5}}, "eval/loss")
    0.5
    """
    if path in metrics:
        return metrics[path]
    if "/" not in path:
        return None
    here: object = metrics
    for part in path.split("/"):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here


def number(value: object) -> float | None:
    """Return *value* as a float if it is a number (numpy scalars and 0-d arrays too), else None."""
    if isinstance(value, float) and value.__class__ is float:
        return value
    if isinstance(value, (str, bytes)) or value is None or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]  # only numbers overflow
    except Exception:  # noqa: BLE001 (whatever a __float__ raises, it gave no number)
        return None


class Goal(msgspec.Struct, frozen=True):
    """One objective.

    Attributes:
        metric: name of the metric; ``a/b`` descends nested metrics.
        mode: ``"min"`` or ``"max"``.

    >>> Goal("accuracy", "max").score({"accuracy": 0.9})
    -0.9
    >>> Goal("loss", "min").score({"loss": float("nan")})
    inf
    """

    metric: str
    mode: str

    def __post_init__(self) -> None:
        if not isinstance(self.mode, str) or self.mode not in {"min", "max"}:
            raise BadArgument("mode", self.mode, "'min' or 'max'")
        if not isinstance(self.metric, str) or not self.metric:
            raise BadArgument("metric", self.metric, "the name of a reported metric")

    def score(self, metrics: Mapping[str, object]) -> Score | None:
        """Return the score to minimise, or None if *metrics* lacks a number under the metric's name."""
        value = metrics.get(self.metric)
        if value.__class__ is not float:
            found = number(lookup(metrics, self.metric))
            if found is None:
                return None
            value = found
        assert isinstance(value, float)  # noqa: S101 (for the type checker)
        if value != value:  # noqa: PLR0124 (NaN, the fast way)
            return WORST
        return -value if self.mode == "max" else value

    def value(self, score: Score) -> float:
        """Return the metric's value that *score* stands for."""
        return -score if self.mode == "max" else score
