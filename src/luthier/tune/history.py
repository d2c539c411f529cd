"""All results of an experiment, read back from its log when somebody asks."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.goal import lookup, number
from luthier.core.space import same
from luthier.tune.flat import flattened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from luthier.core.goal import Goal
    from luthier.core.terms import Config, Ref

SCOPES = ("last", "avg", "last-5-avg", "last-10-avg", "all")


class History:
    """The results of every trial, in their order.

    Args:
        read: returns the events of the log; called when something is asked that is not in memory.

    >>> history = History(lambda: [ev.Reported("t", 1, 0, {"loss": 2.0}), ev.Reported("t", 1, 1, {"loss": 1.0})])
    >>> history.analysis("t")["loss"]["avg"]
    1.5
    """

    def __init__(self, read: Callable[[], Iterable[ev.Event]]) -> None:
        self._read = read
        self._reports: dict[str, list[ev.Reported]] | None = None
        self._at_end: dict[tuple[str, Ref], ev.Reported] = {}  # checkpoints that came with an attempt's end
        self._configs: dict[str, list[tuple[int, Config]]] = {}  # from which attempt on a trial had which

    def forget(self) -> None:
        """Read anew at the next question: the experiment has gone on."""
        self._reports = None
        self._configs = {}

    def reports(self, trial: str) -> list[ev.Reported]:
        """Return the trial's reports, oldest first."""
        return self._of(trial)

    def results(self, trial: str) -> list[dict[str, Any]]:
        """Return the metrics of each of the trial's reports, oldest first."""
        return [report.metrics for report in self._of(trial)]

    def config(self, report: ev.Reported, otherwise: Config) -> Config:
        """Return the config that *report* was made under; *otherwise* where the log read so far does not tell.

        >>> first, then = ev.Launched("t", 1, "w", {"lr": 1}, {}), ev.Launched("t", 2, "w", {"lr": 2}, {})
        >>> reports = ev.Reported("t", 1, 0, {}), ev.Reported("t", 2, 1, {})
        >>> history = History(lambda: [first, reports[0], then, reports[1]])
        >>> [history.config(report, {})["lr"] for report in history.reports("t")]
        [1, 2]
        """
        known = self._configs.get(report.trial, ())
        return next((config for attempt, config in reversed(known) if attempt <= report.attempt), otherwise)

    def at_checkpoint(self, trial: str, ref: Ref) -> ev.Reported | None:
        """Return the report that came with the checkpoint; the last before it, if it came with an attempt's end."""
        with_it = (r for r in reversed(self._of(trial)) if r.checkpoint == ref)
        return next(with_it, self._at_end.get((trial, ref)))

    def analysis(self, trial: str) -> dict[str, dict[str, float]]:
        """Return max, min, avg, last, last-5-avg and last-10-avg of each numeric metric of the trial."""
        series: dict[str, list[float]] = {}
        for metrics in self.results(trial):
            for name, value in flattened(metrics).items():
                found = number(value)
                if found is not None:
                    series.setdefault(name, []).append(found)
        return {name: _figures(values) for name, values in series.items()}

    def best(self, goal: Goal) -> dict[str, ev.Reported]:
        """Return the best result that each trial ever had under *goal*; without the trials that never had the metric.

        Only the best are kept in memory.
        """
        best: dict[str, tuple[float, ev.Reported]] = {}
        for report in self._all():
            if (score := goal.score(report.metrics)) is not None:
                known = best.get(report.trial)
                if known is None or score < known[0]:
                    best[report.trial] = score, report
        return {trial: report for trial, (_, report) in best.items()}

    def values(self, goal: Goal, scope: str, *, only_finite: bool = True) -> dict[str, float]:
        """Return the value of each trial under *goal* in *scope*; without the trials that have none.

        Only the metric's own values are kept in memory.
        """
        series: dict[str, array[float]] = {}
        for report in self._all():
            value = number(lookup(report.metrics, goal.metric))
            if value is not None and (scope != "all" or not only_finite or math.isfinite(value)):
                series.setdefault(report.trial, array("d")).append(value)
        found: dict[str, float] = {}
        for trial, values in series.items():
            figures = _figures(values[-1:] if scope == "last" else values)
            value = figures[goal.mode] if scope == "all" else figures[scope]
            if not only_finite or math.isfinite(value):
                found[trial] = value
        return found

    def _all(self) -> Iterator[ev.Reported]:
        """Yield all reports, those of a trial in their order; from the log, where they are not in memory anyway."""
        if self._reports is not None:
            for reports in self._reports.values():
                yield from reports
        else:
            for event in self._read():
                if isinstance(event, ev.Reported):
                    yield event
                elif isinstance(event, ev.Launched):
                    self._launch(event)

    def _of(self, trial: str) -> list[ev.Reported]:
        if self._reports is None:
            self._reports = {}
            for event in self._read():
                if isinstance(event, ev.Reported):
                    self._reports.setdefault(event.trial, []).append(event)
                elif isinstance(event, ev.Launched):
                    self._launch(event)
                elif isinstance(event, ev.Exited) and event.checkpoint is not None and event.trial in self._reports:
                    self._at_end[event.trial, event.checkpoint] = self._reports[event.trial][-1]
        return self._reports.get(trial, [])

    def _launch(self, event: ev.Launched) -> None:
        known = self._configs.setdefault(event.trial, [])
        if not known or (event.attempt > known[-1][0] and not same(known[-1][1], event.config)):
            known.append((event.attempt, event.config))


def _figures(values: Sequence[float]) -> dict[str, float]:
    return {
        "max": max(values),
        "min": min(values),
        "avg": sum(values) / len(values),
        "last": values[-1],
        "last-5-avg": sum(values[-5:]) / len(values[-5:]),
        "last-10-avg": sum(values[-10:]) / len(values[-10:]),
    }
