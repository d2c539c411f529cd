"""A trial that no longer gets anywhere."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from luthier.core.arguments import amount, more_than, whole
from luthier.core.goal import lookup, number
from luthier.schedulers.arguments import direction, metric_name
from luthier.tune.stopper.deviation import deviation
from luthier.tune.stopper.stopper import Stopper


class TrialPlateauStopper(Stopper):
    """Stops a trial whose metric has hardly changed in its last results.

    A result without the metric, or with NaN, is a result: a trial is not stopped as long as one of its last
    *num_results* is such.

    Args:
        metric: what to look at; ``a/b`` descends nested metrics.
        std: a trial ends when the standard deviation of its last results is below this, in units of the metric.
        num_results: how many results that are.
        grace_period: results before which no trial ends.
        metric_threshold: a trial ends only if its last result is at least as good as this.
        mode: ``"min"`` or ``"max"``: what good means; needed with *metric_threshold* only.

    Raises:
        BadArgument: an argument is out of its range, or *mode* is missing.

    >>> stopper = TrialPlateauStopper("loss", std=0.1, num_results=2, grace_period=3)
    >>> [stopper("a_00000", {"loss": loss}) for loss in (0.5, 0.5, 0.4, 0.39)]
    [False, False, True, True]
    """

    def __init__(
        self,
        metric: str,
        std: float = 0.01,
        num_results: int = 4,
        grace_period: int = 4,
        metric_threshold: float | None = None,
        mode: str | None = None,
    ) -> None:
        self._metric = metric_name("metric", metric, "the name of a reported metric")
        self._std = more_than("std", std, 0)
        self._num_results = whole("num_results", num_results, 1)
        self._grace_period = whole("grace_period", grace_period, 0)
        why = "" if metric_threshold is None else f"metric_threshold is {metric_threshold!r}"
        direction(mode, needed=metric_threshold is not None, why=why)
        # The worst that is good enough, in terms of a value that is to be small.
        self._sign = -1.0 if mode == "max" else 1.0
        self._threshold = math.inf
        if metric_threshold is not None:
            self._threshold = self._sign * amount("metric_threshold", metric_threshold)
        self._last: dict[str, deque[float]] = {}
        self._seen: dict[str, int] = {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether the trial has come to rest."""
        value = number(lookup(result, self._metric))
        value = math.nan if value is None else value
        last = self._last.setdefault(trial_id, deque(maxlen=self._num_results))
        last.append(value)
        self._seen[trial_id] = seen = self._seen.get(trial_id, 0) + 1
        if seen < self._grace_period or len(last) < self._num_results or self._sign * value > self._threshold:
            return False
        found = deviation(last)
        if not found < self._std:  # NaN is not
            return False
        self.reason = f"{self._metric} rests: std {found:.3g} of {len(last)} results is below {self._std:g}"
        return True
