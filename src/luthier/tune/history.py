"""All results of an experiment, read back from its log when somebody asks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.goal import lookup, number
from luthier.tune.flat import flattened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from luthier.core.goal import Goal
    from luthier.core.terms import Ref

SCOPES = ("last", "avg", "last-5-avg", "last-10-avg", "all")


class History:
    """The results of every trial, in their order.

    Args:
        read: returns the events of the log; called once, when something is first asked.

    >>> history = History(lambda: [ev.Reported("t", 1, 0, {"loss": 2.0}), ev.Reported("t", 1, 1, {"loss": 1.0})])
    >>> history.analysis("t")["loss"]["avg"]
    1.5
    """

    def __init__(self, read: Callable[[], Iterable[ev.Event]]) -> None:
        self._read = read
        self._reports: dict[str, list[ev.Reported]] | None = None
        self._at_end: dict[tuple[str, Ref], dict[str, Any]] = {}  # checkpoints that came with an attempt's end

    def forget(self) -> None:
        """Read anew at the next question: the experiment has gone on."""
        self._reports = None

    def results(self, trial: str) -> list[dict[str, Any]]:
        """Return the metrics of each of the trial's reports, oldest first."""
        return [report.metrics for report in self._of(trial)]

    def at_checkpoint(self, trial: str, ref: Ref) -> dict[str, Any]:
        """Return the metrics that came with the checkpoint; the last before it, if it came with an attempt's end."""
        with_it = (r.metrics for r in reversed(self._of(trial)) if r.checkpoint == ref)
        return next(with_it, self._at_end.get((trial, ref), {}))

    def analysis(self, trial: str) -> dict[str, dict[str, float]]:
        """Return max, min, avg, last, last-5-avg and last-10-avg of each numeric metric of the trial."""
        series: dict[str, list[float]] = {}
        for metrics in self.results(trial):
            for name, value in flattened(metrics).items():
                found = number(value)
                if found is not None:
                    series.setdefault(name, []).append(found)
        return {name: _figures(values) for name, values in series.items()}

    def value(self, trial: str, goal: Goal, scope: str, *, only_finite: bool = True) -> float | None:
        """Return the trial's value under *goal* in *scope*, or None where it has none."""
        values = [v for v in (number(lookup(m, goal.metric)) for m in self.results(trial)) if v is not None]
        if only_finite and scope in ("all", "last"):
            values = [v for v in values if math.isfinite(v)] if scope == "all" else values[-1:]
        if not values:
            return None
        figures = _figures(values)
        result = figures[goal.mode] if scope == "all" else figures[scope]
        return None if only_finite and not math.isfinite(result) else result

    def _of(self, trial: str) -> list[ev.Reported]:
        if self._reports is None:
            self._reports = {}
            for event in self._read():
                if isinstance(event, ev.Reported):
                    self._reports.setdefault(event.trial, []).append(event)
                elif isinstance(event, ev.Exited) and event.checkpoint is not None:
                    before = self._reports.get(event.trial)
                    self._at_end[event.trial, event.checkpoint] = before[-1].metrics if before else {}
        return self._reports.get(trial, [])


def _figures(values: list[float]) -> dict[str, float]:
    return {
        "max": max(values),
        "min": min(values),
        "avg": sum(values) / len(values),
        "last": values[-1],
        "last-5-avg": sum(values[-5:]) / len(values[-5:]),
        "last-10-avg": sum(values[-10:]) / len(values[-10:]),
    }
