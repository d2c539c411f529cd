"""An experiment that no longer gets anywhere."""

from __future__ import annotations

import math
from bisect import insort
from typing import Any

from luthier.core.arguments import more_than, whole
from luthier.core.goal import lookup, number
from luthier.schedulers.arguments import direction, metric_name
from luthier.tune.stopper.deviation import deviation
from luthier.tune.stopper.stopper import Stopper


class ExperimentPlateauStopper(Stopper):
    """Ends the whole experiment when its best results, of whatever trials, hardly differ any more.

    A result without the metric is passed over; one with NaN is never among the best.

    Args:
        metric: what to look at; ``a/b`` descends nested metrics.
        std: the end is when the standard deviation of the best results is this or less, in units of the metric.
        top: how many results are the best.
        mode: ``"min"`` or ``"max"``.
        patience: for how many results in a row that must be so; 0 and 1 are the same.

    Raises:
        BadArgument: an argument is out of its range.

    >>> stopper = ExperimentPlateauStopper("loss", std=0.1, top=2)
    >>> [stopper("a_00000", {"loss": loss}) for loss in (0.9, 0.5, 0.45)]
    [False, False, True]
    """

    def __init__(self, metric: str, std: float = 0.001, top: int = 10, mode: str = "min", patience: int = 0) -> None:
        direction(mode, needed=True)
        self._metric = metric_name("metric", metric, "the name of a reported metric")
        self._std, self._top = more_than("std", std, 0), whole("top", top, 2)
        self._sign, self._patience = -1.0 if mode == "max" else 1.0, whole("patience", patience, 0)
        self._best: list[float] = []  # the best first; negative where more is better
        self._in_a_row = 0
        self._over = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether the experiment has come to rest."""
        value = number(lookup(result, self._metric))
        if value is None:
            return self._over
        if not math.isnan(value):
            insort(self._best, self._sign * value)
            del self._best[self._top :]
        best = self._best if self._sign > 0 else self._best[::-1]  # added in numpy's order: it matters to the last bit
        found = deviation(best) if len(best) == self._top else math.nan
        self._in_a_row = self._in_a_row + 1 if found <= self._std else 0
        self._over = self._in_a_row >= max(self._patience, 1)
        if self._over:
            self.reason = f"the best {self._top} of {self._metric} rest: their std {found:.3g} is at most {self._std:g}"
        return self._over

    def stop_all(self) -> bool:
        """Return what it answered last."""
        return self._over
