"""What reporters with tables have in common: columns, pace, and the best trial."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from luthier.callbacks.spelling import configured, duration, plain_text, short
from luthier.core.errors import BadArgument
from luthier.core.goal import lookup, number
from luthier.core.terms import AUTOMATIC
from luthier.tune.flat import flattened
from luthier.tune.progress_reporter.columns import Columns
from luthier.tune.progress_reporter.progress_table import ProgressTable, by_status, errors_table, progress_table
from luthier.tune.progress_reporter.reporter import ProgressReporter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.tune.trial import Trial

USUAL = {
    "mean_accuracy": "acc",
    "mean_loss": "loss",
    "training_iteration": "iter",
    "time_total_s": "total time (s)",
    "timesteps_total": "ts",
    "episode_reward_mean": "reward",
}


class TableReporter(ProgressReporter):
    """Reports a table of trials.

    Args:
        metric_columns: metrics to show, nested ones as ``"a/b"``: a list, or a dict that says what their columns are
            called.  Where None, Ray Tune's usual ones, and those that :meth:`add_metric_column` adds or else the first
            *infer_limit* that are reported.
        parameter_columns: parameters to show, likewise; all of them where None.
        total_samples: how many trials there will be; the experiment knows.
        max_progress_rows: how many trials a table shows before the last one, which shows all.
        max_error_rows: how many failed trials are listed, likewise.
        max_column_length: characters that a cell may take.
        max_report_frequency: seconds between two reports.
        infer_limit: how many metrics are shown that were not asked for.
        print_intermediate_tables: False for counts alone until the end.
        metric: metric that says which trial is the best; the experiment's where None.
        mode: ``"min"`` or ``"max"``, likewise.
        sort_by_metric: whether trials that have ended are sorted by *metric*, the best first.

    Raises:
        BadArgumentType: columns are neither a list nor a dict of texts.
        BadArgument: *mode* is something else, or a number is none.
    """

    def __init__(
        self,
        *,
        metric_columns: Sequence[str] | Mapping[str, str] | None = None,
        parameter_columns: Sequence[str] | Mapping[str, str] | None = None,
        total_samples: int | None = None,
        max_progress_rows: int = 20,
        max_error_rows: int = 20,
        max_column_length: int = 20,
        max_report_frequency: float = 5,
        infer_limit: int = 3,
        print_intermediate_tables: bool | None = None,
        metric: str | None = None,
        mode: str | None = None,
        sort_by_metric: bool = False,
    ) -> None:
        if mode not in (None, "min", "max"):
            raise BadArgument("mode", mode, "'min' or 'max'")
        for name, given in (
            ("max_progress_rows", max_progress_rows), ("max_error_rows", max_error_rows),
            ("max_column_length", max_column_length), ("infer_limit", infer_limit),
        ):  # fmt: skip
            if isinstance(given, bool) or not isinstance(given, int) or given < 0:
                raise BadArgument(name, given, "a whole number >= 0")
        if isinstance(max_report_frequency, bool) or not isinstance(max_report_frequency, (int, float)):
            raise BadArgument("max_report_frequency", max_report_frequency, "a number of seconds")
        self._metrics = Columns("metric_columns", metric_columns)
        self._parameters = Columns("parameter_columns", parameter_columns)
        self._total, self._rows, self._error_rows = total_samples, max_progress_rows, max_error_rows
        self._width, self._pace, self._limit = max_column_length, max_report_frequency, infer_limit
        self._between = print_intermediate_tables is not False
        self._own = (metric, mode)
        self._metric, self._mode, self._sorted = metric, mode, sort_by_metric
        self._inferred: dict[str, str] = {}
        self._start = time.time()
        self._next = 0.0
        self.verbose = 1

    # -- told ----------------------------------------------------------------------------------------------------------
    def set_search_properties(self, metric: str | None, mode: str | None) -> bool:
        """Take the experiment's metric and mode.

        Raises:
            BadArgument: the reporter has others of its own.
        """
        for name, mine, given in (("metric", self._own[0], metric), ("mode", self._own[1], mode)):
            if mine is not None and given is not None and mine != given:
                raise BadArgument(f"progress_reporter.{name}", mine, "it in one place", f"TuneConfig says {given!r}")
        self._metric, self._mode = self._own[0] or metric, self._own[1] or mode
        self._next, self._inferred = 0.0, {}
        return True

    def set_total_samples(self, total_samples: int | None) -> None:
        """Take how many trials there will be."""
        self._total = total_samples if total_samples is not None else self._total

    def set_start_time(self, timestamp: float | None = None) -> None:
        """Take when the experiment began."""
        self._start = time.time() if timestamp is None else timestamp

    def add_metric_column(self, metric: str, representation: str | None = None) -> None:
        """Show *metric* too, in a column called *representation*.

        Raises:
            BadArgument: it is shown already, or is to be renamed beside a list of names.
        """
        self._metrics.add(metric, representation)

    def add_parameter_column(self, parameter: str, representation: str | None = None) -> None:
        """Show *parameter* too, in a column called *representation*.

        Raises:
            BadArgument: it is shown already, or is to be renamed beside a list of names.
        """
        self._parameters.add(parameter, representation)

    def should_report(self, trials: Sequence[Trial], done: bool = False) -> bool:
        """Return whether the last report is old enough."""
        now = time.monotonic()
        if now < self._next:
            return done
        self._next = now + self._pace
        return True

    # -- what there is to say ------------------------------------------------------------------------------------------
    def head(self, trials: Sequence[Trial], *sys_info: str) -> list[str]:
        """Return lines about the experiment as a whole."""
        now = time.time()
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        lines = [f"Current time: {moment} (running for {duration(now - self._start)})", *sys_info]
        best = self.best(trials)
        if best is not None:
            value = short(lookup(best.last_result, str(self._metric)))
            params = configured(best.config)
            lines.append(f"Current best trial: {plain_text(str(best))} with {self._metric}={value} and {params}")
        if trials:
            lines.append(f"Result directory: {trials[0].experiment_dir}")
            counts = ", ".join(f"{len(some)} {status}" for status, some in by_status(trials).items())
            total = "" if self._total is None else f"/{self._total}"
            lines.append(f"Number of trials: {len(trials)}{total} ({counts})")
        return lines

    def table(self, trials: Sequence[Trial], done: bool) -> ProgressTable | None:
        """Return the table; None where there is none to be shown now."""
        if not trials or not self.verbose or not (done or self._between):
            return None
        metrics = self._metrics.heads
        if not self._metrics.chosen:
            metrics = {**USUAL, **(metrics or self._infer(trials))}
        sort_by = (self._metric, self._mode) if self._sorted and self._metric and self._mode else None
        most = None if done else self._rows
        parameters = self._parameters.heads
        return progress_table(trials, metrics, parameters, most=most, width=self._width, sort_by=sort_by)

    def errors(self, trials: Sequence[Trial], done: bool) -> tuple[int, ProgressTable]:
        """Return how many trials have failed, and the table of them."""
        return errors_table(trials, None if done else self._error_rows)

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the trial whose last result is the best; None where nobody knows what is good."""
        if self._metric is None or self._mode is None:
            return None
        sign = -1.0 if self._mode == "max" else 1.0
        ranked = [(sign * value, i) for i, trial in enumerate(trials) if (value := self._value(trial)) is not None]
        return trials[min(ranked)[1]] if ranked else None

    def _value(self, trial: Trial) -> float | None:
        value = number(lookup(trial.last_result, str(self._metric)))
        return None if value is None or value != value else value  # noqa: PLR0124 (NaN)

    def _infer(self, trials: Sequence[Trial]) -> dict[str, str]:
        for trial in trials:
            if len(self._inferred) >= self._limit:
                break
            told: dict[str, Any] = {n: v for n, v in trial.last_result.items() if n not in AUTOMATIC}
            for name, value in flattened(told).items():
                if len(self._inferred) < self._limit and name not in USUAL and number(value) is not None:
                    self._inferred[name] = name
        return self._inferred
