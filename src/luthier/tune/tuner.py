"""The Tuner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from luthier.core.errors import BadArgument
from luthier.core.terms import Status
from luthier.tune import kit
from luthier.tune.blueprint import Blueprint
from luthier.tune.conduct import Experiment
from luthier.tune.configs import RunConfig, TuneConfig
from luthier.tune.error import TuneError
from luthier.tune.past import Past
from luthier.tune.registry import trainable_name
from luthier.tune.result_grid import ResultGrid
from luthier.tune.staging import can_be_found

if TYPE_CHECKING:
    import os

    from luthier.core.state import ExperimentState
    from luthier.tune.running import Running


class Tuner:
    """Tunes a trainable over a search space.

    Args:
        trainable: a function of ``config``, a :class:`~luthier.tune.Trainable` class, or a registered name.
        param_space: the search space: a dict of values and domains, nested as you like.
        tune_config: how to tune.
        run_config: where, how long, and who hears of it.

    Raises:
        BadArgument: something of this cannot be used; nothing was started or written.

    >>> from luthier import tune
    >>> tuner = tune.Tuner(
    ...     lambda config: {"loss": config["x"] ** 2},
    ...     param_space={"x": tune.grid_search([-1, 0, 2])},
    ...     tune_config=tune.TuneConfig(metric="loss", mode="min"),
    ...     run_config=tune.RunConfig(verbose=0, executor="inline"),
    ... )
    >>> tuner.fit().get_best_result().config
    {'x': 0}
    """

    def __init__(
        self,
        trainable: Any = None,
        *,
        param_space: dict[str, Any] | None = None,
        tune_config: TuneConfig | None = None,
        run_config: RunConfig | None = None,
    ) -> None:
        self._blueprint = Blueprint(
            trainable,
            param_space,
            TuneConfig() if tune_config is None else tune_config,
            RunConfig() if run_config is None else run_config,
        )
        self._again: _Again | None = None
        self._results: ResultGrid | None = None

    @overload
    def fit(self, *, background: Literal[False] = False) -> ResultGrid: ...
    @overload
    def fit(self, *, background: Literal[True]) -> Running: ...
    def fit(self, *, background: bool = False) -> ResultGrid | Running:
        """Run the experiment and return its results, one for each trial.

        Trials that fail do not raise; their errors are in the results.  Ctrl-C ends early and returns what there is.

        Args:
            background: whether to return at once, with a handle on the running experiment.

        Raises:
            ExperimentExists: the experiment's name is taken.
            LuthierError: a searcher, scheduler or stopper raised, or the log could not be written; what was recorded
                stays.
        """
        again = self._again
        if again is None:
            experiment = Experiment(self._blueprint)
        else:
            experiment = Experiment(self._blueprint, again.directory, again.rerun)
        self._again = _Again(experiment.directory)
        if background:
            from luthier.tune.running import Running

            return Running(experiment)
        self._results = experiment.run()
        return self._results

    def get_results(self) -> ResultGrid:
        """Return the results of the experiment that was run or restored.

        Raises:
            TuneError: there is none.
        """
        if self._results is None:
            if self._again is None:
                msg = "There are no results yet: call fit() first, or Tuner.restore(path, trainable)."
                raise TuneError(msg)
            past = Past(self._again.directory)
            return ResultGrid(past.directory, past.experiment, past.history)
        return self._results

    @classmethod
    def restore(
        cls,
        path: str | os.PathLike[str],
        trainable: Any,
        resume_unfinished: bool = True,
        resume_errored: bool = False,
        restart_errored: bool = False,
        param_space: dict[str, Any] | None = None,
        storage_filesystem: Any = None,
    ) -> Tuner:
        """Return a Tuner that goes on with the experiment in *path*.

        Args:
            path: the experiment's directory, or its URL: what is not on this machine is fetched.
            trainable: what was trained; it must have the same name as before.
            resume_unfinished: whether trials that had not ended go on.
            resume_errored: whether trials that failed go on from their last checkpoint.
            restart_errored: whether trials that failed begin anew.
            param_space: the search space, where it could not be kept; it must have the same keys.
            storage_filesystem: fsspec file system that *path* lies on, where a URL does not tell it all.

        Raises:
            NotAnExperiment: there is no experiment.
            BadArgument: trainable or space are others than before.
        """
        past = Past(path, storage_filesystem)
        parts = kit.load(past.directory)
        if trainable_name(trainable) != past.card.trainable:
            raise BadArgument("trainable", trainable, f"the one that was trained, {past.card.trainable!r}")
        space = parts.get("param_space") if param_space is None else param_space
        if param_space is not None and "param_space" in parts and set(param_space) != set(parts["param_space"] or {}):
            raise BadArgument("param_space", sorted(param_space), f"the keys of before, {sorted(parts['param_space'])}")
        if param_space is None and "param_space" not in parts:
            raise BadArgument("param_space", None, "the search space of before", "it holds what could not be pickled")
        run = parts.get("run_config") or RunConfig()
        tuner = cls(trainable, param_space=space, tune_config=parts.get("tune_config"), run_config=run)
        tuner._again = _Again(
            past.directory, unfinished=resume_unfinished, errored=resume_errored, anew=restart_errored
        )
        return tuner

    @classmethod
    def can_restore(cls, path: str | os.PathLike[str], storage_filesystem: Any = None) -> bool:
        """Return whether *path* holds an experiment to go on with.

        >>> Tuner.can_restore("/nowhere")
        False
        """
        return can_be_found(path, storage_filesystem, (kit.FILE_NAME,))


class _Again:
    """Which trials of an experiment go on."""

    def __init__(self, directory: str, *, unfinished: bool = True, errored: bool = False, anew: bool = False) -> None:
        self.directory = directory
        self._unfinished, self._errored, self._anew = unfinished, errored, anew

    def rerun(self, experiment: ExperimentState) -> tuple[list[Any], list[Any]]:
        """Return which ended trials go on from their checkpoints, and which begin anew."""
        failed = list(experiment.by_status[Status.FAILED])
        return (failed if self._errored and not self._anew else []), (failed if self._anew else [])
