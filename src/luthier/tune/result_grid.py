"""What an experiment came to: one result for each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.core.terms import Status
from luthier.tune.best import goal_of, nobody_reported, ranked, undominated
from luthier.tune.bringing import bring_files
from luthier.tune.frames import frame
from luthier.tune.goals import goals_of
from luthier.tune.pictures import Pictures
from luthier.tune.result import Result
from luthier.worker.failure import PICKLE_FILE, TEXT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from luthier.core.state import ExperimentState
    from luthier.tune.history import History


class ResultGrid(Pictures):
    """The results of an experiment, in the order of its trials.

    Args:
        directory: the experiment's directory.
        experiment: its state.
        history: its results.
    """

    def __init__(self, directory: str, experiment: ExperimentState, history: History) -> None:
        self._dir, self._history = directory, history
        self._trials = list(experiment.trials.values())
        self._goals = experiment.goals

    def get_best_result(
        self,
        metric: str | None = None,
        mode: str | None = None,
        scope: str = "last",
        filter_nan_and_inf: bool = True,
    ) -> Result:
        """Return the best trial's result.

        Args:
            metric: metric to rank by; the Tuner's where None.  Where the Tuner has several, one must be named.
            mode: ``"min"`` or ``"max"``; the Tuner's where None.
            scope: by which of a trial's values: ``last``, ``avg``, ``last-5-avg``, ``last-10-avg``, or ``all`` for the
                best it ever had.
            filter_nan_and_inf: whether values that are not finite are left out.

        Raises:
            BadArgument: metric or mode is missing, or the scope is unknown.
            NoResult: no trial has reported the metric; the text says what was reported.
        """
        if len(self._trials) == 1 and not metric and not mode and not self._goals:
            return self[0]
        goal = goal_of(metric, mode, self._goals)
        best = ranked(self._trials, self._history, goal, scope, only_finite=filter_nan_and_inf)
        if not best:
            raise nobody_reported(goal.metric, self._trials)
        return Result(best[0], self._dir, self._history)

    def pareto_front(
        self, metric: str | Sequence[str] | None = None, mode: str | Sequence[str] | None = None
    ) -> list[Result]:
        """Return the results that no other is better than, where there are several metrics: the Pareto front.

        A result is on it if no other is as good by all metrics and better by one.  Last results count; trials without a
        finite value of each metric are left out.

        Args:
            metric: metrics to compare by; the Tuner's where None.
            mode: ``"min"`` or ``"max"``, or a list with one for each metric; the Tuner's where None.

        Returns:
            The results, the best by the first metric first.

        Raises:
            BadArgument: metric or mode is missing, here and in the Tuner, or they do not fit each other.
            NoResult: no trial has reported all metrics.

        >>> from luthier import tune
        >>> grid = tune.Tuner(
        ...     lambda config: {"loss": config["x"] ** 2, "size": abs(config["x"] - 2)},
        ...     param_space={"x": tune.grid_search([-1, 0, 1, 2, 3])},
        ...     tune_config=tune.TuneConfig(metric=["loss", "size"], mode="min"),
        ...     run_config=tune.RunConfig(verbose=0, executor="inline"),
        ... ).fit()
        >>> [result.config["x"] for result in grid.pareto_front()]
        [0, 1, 2]
        """
        goals = goals_of(metric, mode) or self._goals
        if not goals:
            raise BadArgument("metric", metric, "the names of reported metrics, here or in TuneConfig")
        found = undominated(self._trials, goals)
        if not found:
            last = [t.metrics for t in self._trials]
            missing = [goal.metric for goal in goals if all(goal.score(metrics) is None for metrics in last)]
            raise nobody_reported((missing or [goals[0].metric])[0], self._trials)
        return [Result(t, self._dir, self._history) for t in found]

    def get_dataframe(self, filter_metric: str | None = None, filter_mode: str | None = None) -> pd.DataFrame:
        """Return a row for each trial: its last result, or the best it ever had under *filter_metric*."""
        goal = None
        if filter_metric is not None or filter_mode is not None:
            goal = goal_of(filter_metric, filter_mode, self._goals)
        return frame(self._trials, self._history, self._dir, goal)

    @property
    def experiment_path(self) -> str:
        """The experiment's directory."""
        return self._dir

    @property
    def filesystem(self) -> None:
        """None: the directory is on the local disk, even where the experiment lives elsewhere."""
        return

    @property
    def errors(self) -> list[Exception]:
        """The exceptions of the trials that failed."""
        folders = [t.label.folder for t in self._trials if t.status is Status.FAILED and t.attempt]
        bring_files(self._dir, (f"{folder}/{name}" for folder in folders for name in (PICKLE_FILE, TEXT_FILE)))
        return [error for error in (result.error for result in self) if error is not None]

    @property
    def num_errors(self) -> int:
        """How many trials failed."""
        return sum(t.status is Status.FAILED for t in self._trials)

    @property
    def num_terminated(self) -> int:
        """How many trials came to their end without failing."""
        return sum(t.status in (Status.DONE, Status.STOPPED) for t in self._trials)

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, i: int) -> Result:
        return Result(self._trials[i], self._dir, self._history)

    def __iter__(self) -> Iterator[Result]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        if len(self) == 0:
            return "ResultGrid<[]>"
        lines = [f"  {result!r}," for result in self]
        return "\n".join(["ResultGrid<[", *lines, "]>"])

    def _repr_html_(self) -> str:
        from luthier.callbacks.html import results_html

        return results_html([result.metrics for result in self], f"{len(self)} trials in {self._dir}")
