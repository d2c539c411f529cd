"""What ``tune.run`` returns, and how to look at an experiment from long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.tune.best import goal_of, nobody_reported, ranked
from luthier.tune.flat import flattened
from luthier.tune.frames import frame
from luthier.tune.past import Past
from luthier.tune.pictures import Pictures
from luthier.tune.result import Result
from luthier.tune.trial import Trial, last_row

if TYPE_CHECKING:
    import os

    import pandas as pd

    from luthier.core.goal import Goal
    from luthier.core.state import TrialState
    from luthier.tune.checkpoint import Checkpoint


class ExperimentAnalysis(Pictures):
    """An experiment, read from its directory.

    Args:
        experiment_checkpoint_path: the experiment's directory, or its URL.
        storage_filesystem: fsspec file system that it lies on, where the URL does not tell it all.
        default_metric: metric for all questions that name none; the experiment's own where None.
        default_mode: ``"min"`` or ``"max"``.

    Raises:
        LuthierError: there is no experiment.
    """

    def __init__(
        self,
        experiment_checkpoint_path: str | os.PathLike[str],
        *,
        storage_filesystem: object = None,
        default_metric: str | None = None,
        default_mode: str | None = None,
    ) -> None:
        past = Past(experiment_checkpoint_path, storage_filesystem)
        self._past, self._history = past, past.history
        self._goals: tuple[Goal, ...] = past.experiment.goals
        if default_metric is not None or default_mode is not None:
            self._goals = (goal_of(default_metric, default_mode, self._goals),)
        self._states: list[TrialState] = list(past.experiment.trials.values())
        self.trials: list[Trial] = [self._trial(state) for state in self._states]

    @property
    def experiment_path(self) -> str:
        """The experiment's directory."""
        return self._past.directory

    # -- the best trial ------------------------------------------------------------------------------------------------
    @property
    def best_trial(self) -> Trial:
        """The best trial under the default metric, by its last result."""
        found = self.get_best_trial()
        assert found is not None  # noqa: S101 (get_best_trial raises instead when metric and mode are defaults)
        return found

    @property
    def best_config(self) -> dict[str, Any]:
        """The best trial's config."""
        return self.best_trial.config

    @property
    def best_result(self) -> dict[str, Any]:
        """The best trial's last result."""
        return self.best_trial.last_result

    @property
    def best_checkpoint(self) -> Checkpoint | None:
        """The best trial's best checkpoint."""
        return self.get_best_checkpoint(self.best_trial)

    @property
    def best_logdir(self) -> str:
        """The best trial's directory."""
        return self.best_trial.local_path

    @property
    def best_dataframe(self) -> pd.DataFrame:
        """All results of the best trial."""
        return self._result(self.best_trial).metrics_dataframe

    @property
    def best_result_df(self) -> pd.DataFrame:
        """The best trial's last result as a table of one row."""
        import pandas as pd

        return pd.DataFrame([flattened(self.best_result)])

    def get_best_trial(
        self,
        metric: str | None = None,
        mode: str | None = None,
        scope: str = "last",
        filter_nan_and_inf: bool = True,
    ) -> Trial | None:
        """Return the best trial.

        Raises:
            BadArgument: metric or mode is missing, or the scope is unknown.
            NoResult: no trial has reported the metric.
        """
        goal = goal_of(metric, mode, self._goals)
        best = ranked(self._states, self._history, goal, scope, only_finite=filter_nan_and_inf)
        if not best:
            raise nobody_reported(goal.metric, self._states)
        return self._trial(best[0])

    def get_best_config(
        self, metric: str | None = None, mode: str | None = None, scope: str = "last"
    ) -> dict[str, Any] | None:
        """Return the best trial's config."""
        best = self.get_best_trial(metric, mode, scope)
        return best.config if best else None

    def get_best_logdir(self, metric: str | None = None, mode: str | None = None, scope: str = "last") -> str | None:
        """Return the best trial's directory."""
        best = self.get_best_trial(metric, mode, scope)
        return best.local_path if best else None

    # -- checkpoints ---------------------------------------------------------------------------------------------------
    def get_best_checkpoint(
        self, trial: Trial, metric: str | None = None, mode: str | None = None
    ) -> Checkpoint | None:
        """Return the trial's kept checkpoint that came with the best value."""
        goal = goal_of(metric, mode, self._goals)
        return self._result(trial).get_best_checkpoint(goal.metric, goal.mode)

    def get_last_checkpoint(
        self, trial: Trial | None = None, metric: str = "training_iteration", mode: str = "max"
    ) -> Checkpoint | None:
        """Return the trial's last checkpoint; where no trial is given, that of the trial ahead by *metric*."""
        if trial is None:
            trial = self.get_best_trial(metric, mode)
        return trial.checkpoint if trial else None

    # -- tables --------------------------------------------------------------------------------------------------------
    @property
    def trial_dataframes(self) -> dict[str, pd.DataFrame]:
        """All results of each trial, by the trial's id."""
        return {t.id: Result(t, self._past.directory, self._history).metrics_dataframe for t in self._states}

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The last result of each trial, by the trial's id."""
        return {t.id: last_row(t) for t in self._states}

    @property
    def results_df(self) -> pd.DataFrame:
        """The last result of each trial, indexed by the trial's id."""
        import pandas as pd

        rows = [flattened(result) for result in self.results.values() if result]
        return pd.DataFrame(rows).set_index("trial_id") if rows else pd.DataFrame()

    def dataframe(self, metric: str | None = None, mode: str | None = None) -> pd.DataFrame:
        """Return a row for each trial: its last result, or the best it ever had under *metric*."""
        goal = None if metric is None and mode is None else goal_of(metric, mode, self._goals)
        return frame(self._states, self._history, self._past.directory, goal)

    def get_all_configs(self, prefix: bool = False) -> dict[str, dict[str, Any]]:
        """Return each trial's config by the trial's id, keys led by ``config/`` where *prefix*."""
        configs = {}
        for trial in self.trials:
            config = trial.config
            configs[trial.trial_id] = {f"config/{k}": v for k, v in config.items()} if prefix else config
        return configs

    def _trial(self, state: TrialState) -> Trial:
        return Trial(state, self._past.directory, self._past.card.trainable, self._history)

    def _result(self, trial: Trial) -> Result:
        return Result(self._past.experiment.trials[trial._state.id], self._past.directory, self._history)  # noqa: SLF001


Analysis = ExperimentAnalysis
