"""The Tuner."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Literal, overload

from luthier.core.errors import BadArgument, shown_shortly
from luthier.core.space import Space
from luthier.store import card
from luthier.tune import kit
from luthier.tune.blueprint import Blueprint, keys_of
from luthier.tune.conduct import Experiment
from luthier.tune.configs import RunConfig, TuneConfig
from luthier.tune.error import TuneError
from luthier.tune.extension import extended
from luthier.tune.logger.wandb_words import withheld
from luthier.tune.past import Past
from luthier.tune.registry import trainable_name
from luthier.tune.result_grid import ResultGrid
from luthier.tune.resume_config import ResumeConfig, ResumeType
from luthier.tune.resumption import Resumption
from luthier.tune.staging import can_be_found, local_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from luthier.tune.running import Running

log = logging.getLogger("luthier")


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
        self._directory: str | None = None  # of the experiment that was begun or restored
        self._resumption: Resumption | None = None
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
        experiment = Experiment(self._blueprint, self._directory, self._resumption)
        self._directory, self._resumption = experiment.directory, None
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
            if self._directory is None:
                msg = "There are no results yet: call fit() first, or Tuner.restore(path, trainable)."
                raise TuneError(msg)
            past = Past(self._directory)
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
        _resume_config: ResumeConfig | None = None,
        *,
        tune_config: TuneConfig | None = None,
        run_config: RunConfig | None = None,
    ) -> Tuner:
        """Return a Tuner that goes on with the experiment in *path*.

        Searcher, scheduler, stoppers, seed, and what is left of the time budget are as the log says; trials that ended
        well are not run again.  Nothing is written before :meth:`fit`.

        Args:
            path: the experiment's directory, which may have been moved or copied since; or its URL: what is not on this
                machine is fetched.
            trainable: what was trained.  Its code may have changed, its name may not.
            resume_unfinished: whether trials that had not ended go on from their last checkpoint; else they count as
                terminated.
            resume_errored: whether trials that failed go on from their last checkpoint.
            restart_errored: whether trials that failed begin anew.
            param_space: the search space once more, with the same names: where it could not be kept, or where what it
                holds is to be replaced.  Trials that were proposed keep their configs; the searcher draws new ones from
                this space, and hears of the old ones as if they had come from it.
            storage_filesystem: fsspec file system that *path* lies on, where a URL does not tell it all.
            _resume_config: what becomes of the trials, by how far they came; goes before the three flags.
            tune_config: what is new about how to tune: more samples, another time budget (``math.inf`` for none), more
                or fewer trials at once.  What is left at its default stays as it was.
            run_config: what is new about the run: another stop condition (``{}`` for none), more ``max_failures``,
                other callbacks.  What is left at its default stays as it was; *path* says where the experiment is.

        Raises:
            NotAnExperiment: there is no experiment.
            BadArgument: something is given that may not change, or is missing; the text says why.

        >>> from luthier import tune
        >>> def train(config):
        ...     return {"loss": config["x"]}
        >>> run_config = tune.RunConfig(verbose=0, executor="inline")
        >>> path = tune.Tuner(train, param_space={"x": 1}, run_config=run_config).fit().experiment_path
        >>> more = tune.Tuner.restore(path, train, tune_config=tune.TuneConfig(num_samples=3))
        >>> len(more.fit())
        3
        """
        directory = local_of(path, storage_filesystem)
        about = card.ExperimentCard.read(directory)
        parts = kit.load(directory)
        if trainable_name(trainable) != about.trainable:
            why = f"its name is {trainable_name(trainable)!r}; other code is fine, under the name of before"
            raise BadArgument("trainable", trainable, f"the one that was trained, {about.trainable!r}", why)
        extension = extended(about, parts.get("tune_config"), parts.get("run_config"), tune_config, run_config)
        tuner = cls(
            trainable,
            param_space=_space_of(parts, param_space),
            tune_config=extension.tune,
            run_config=extension.run,
        )
        errored = ResumeType.RESUME if resume_errored else ResumeType.RESTART if restart_errored else ResumeType.SKIP
        unfinished = ResumeType.RESUME if resume_unfinished else ResumeType.SKIP
        config = _resume_config or ResumeConfig(unfinished=unfinished, errored=errored)
        tuner._directory = directory
        tuner._resumption = Resumption(config, extension.changes, extension.lifts)
        return tuner

    @classmethod
    def can_restore(cls, path: str | os.PathLike[str], storage_filesystem: Any = None) -> bool:
        """Return whether *path* holds an experiment to go on with.

        >>> Tuner.can_restore("/nowhere")
        False
        """
        return can_be_found(path, storage_filesystem, (kit.FILE_NAME, card.FILE_NAME))


def _space_of(parts: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the search space: what is given, if that may be, or else what was kept.

    Raises:
        BadArgument: it was not kept and is not given, or the given one is another one.
    """
    if given is None:
        if "param_space" not in parts:
            raise BadArgument("param_space", None, "the search space of before", "it holds what could not be pickled")
        kept: dict[str, Any] | None = parts["param_space"]
        return kept
    told, given = given, withheld(given)[0] or {}
    keys = keys_of(given)
    if keys != parts.get("param_keys", keys):
        why = f"it has {', '.join(keys) or 'nothing'}, and parameters can neither be added nor taken away"
        raise BadArgument("param_space", sorted(given), f"the names of before: {', '.join(parts['param_keys'])}", why)
    if "param_space" in parts:
        was, now = Space(parts["param_space"] or {}), Space(given)
        if was.grid_size != now.grid_size:
            why = f"its grid has {now.grid_size} points where it had {was.grid_size}, by which trials are numbered"
            raise BadArgument("param_space", sorted(given), "a grid of the same size", why)
        if _spelled(parts["param_space"]) != _spelled(given):
            log.warning(
                "param_space is not what it was: trials that were proposed keep their configs, and new ones are drawn "
                "from what is given now."
            )
    return dict(told)


def _spelled(param_space: object) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", shown_shortly(param_space, 100_000))
