"""``tune.run``: an experiment in one call."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.analysis import ExperimentAnalysis
from luthier.tune.configs import (
    CheckpointConfig,
    FailureConfig,
    RunConfig,
    SyncConfig,
    TuneConfig,
    default_executor,
)
from luthier.tune.error import TuneError
from luthier.tune.experiment import Experiment
from luthier.tune.logger.loggers import with_loggers
from luthier.tune.place import storage_of
from luthier.tune.registry import resolve
from luthier.tune.resume import parsed
from luthier.tune.tuner import Tuner
from luthier.worker.resources import with_resources

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(
    run_or_experiment: Any,
    *,
    name: str | None = None,
    metric: str | Sequence[str] | None = None,
    mode: str | Sequence[str] | None = None,
    stop: Any = None,
    time_budget_s: Any = None,
    config: dict[str, Any] | None = None,
    resources_per_trial: Any = None,
    num_samples: int = 1,
    storage_path: str | None = None,
    storage_filesystem: Any = None,
    search_alg: Any = None,
    scheduler: Any = None,
    checkpoint_config: CheckpointConfig | None = None,
    verbose: int | None = None,
    progress_reporter: Any = None,
    log_to_file: Any = False,
    trial_name_creator: Any = None,
    trial_dirname_creator: Any = None,
    sync_config: SyncConfig | None = None,
    export_formats: Any = None,
    max_failures: int = 0,
    fail_fast: bool | str = False,
    restore: str | None = None,
    resume: bool | str | None = None,
    resume_config: Any = None,
    reuse_actors: bool = False,
    raise_on_failed_trial: bool = True,
    callbacks: Any = None,
    max_concurrent_trials: int | None = None,
    seed: int | None = None,
    executor: str | None = None,
    keep_checkpoints_num: int | None = None,
    checkpoint_score_attr: str | None = None,
    checkpoint_freq: int = 0,
    checkpoint_at_end: bool = False,
    chdir_to_trial_dir: Any = "DEPRECATED",
    local_dir: str | None = None,
    loggers: Any = None,
) -> ExperimentAnalysis:
    """Run an experiment and return what there is to know about it.

    Args:
        run_or_experiment: what is trained: a function of ``config``, a ``Trainable`` class, or a registered name; or an
            ``Experiment``, whose arguments then count more than those given here.
        name: the experiment's name.
        metric: metric to optimise, or a list of them.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        stop: when a trial ends: a dict of thresholds, a function, or a ``Stopper``.
        time_budget_s: seconds after which the experiment ends.
        config: the search space.
        resources_per_trial: what a trial asks for, e.g. ``{"cpu": 2}``.
        num_samples: how often the space is sampled; -1 for no end.
        storage_path: directory that holds experiments.
        storage_filesystem: fsspec file system of ``storage_path``, where a URL does not tell it all.
        search_alg: a searcher, or its name.
        scheduler: a scheduler, or its name.
        checkpoint_config: which checkpoints are made and kept.
        verbose: 0 says nothing, 1 the usual, 2 also results, 3 everything.
        progress_reporter: a ``CLIReporter`` or the like, in place of the live table.
        log_to_file: accepted; output always goes to files.
        trial_name_creator: function of the trial that returns its name.
        trial_dirname_creator: function of the trial that returns its directory's name.
        sync_config: accepted.
        export_formats: not supported yet.
        max_failures: how often a failed trial is tried again.
        fail_fast: whether the first trial that fails ends the experiment; ``"raise"`` raises its error.
        restore: not supported yet.
        resume: whether the experiment of that *name* goes on: True or ``"LOCAL"`` (it must be there), ``"AUTO"`` (or
            else a new one begins); ``+ERRORED`` behind it lets failed trials go on, ``+RESTART_ERRORED`` lets them
            begin anew, ``+ERRORED_ONLY`` and ``+RESTART_ERRORED_ONLY`` do so with them alone.  Else as in
            ``Tuner.restore``: what is left at its default stays as it was.
        resume_config: which trials go on, instead of these suffixes.
        reuse_actors: whether a process goes on with the next trial.
        raise_on_failed_trial: whether to raise at the end if a trial failed.
        callbacks: :class:`~luthier.tune.Callback` objects.
        max_concurrent_trials: how many trials run at once.
        seed: makes searcher, scheduler and trials repeatable.
        executor: ``"process"`` or ``"inline"``.
        keep_checkpoints_num: old name of ``CheckpointConfig.num_to_keep``.
        checkpoint_score_attr: old name of ``CheckpointConfig.checkpoint_score_attribute``; ``min-`` before it reverses.
        checkpoint_freq: old name of ``CheckpointConfig.checkpoint_frequency``.
        checkpoint_at_end: old name of ``CheckpointConfig.checkpoint_at_end``.
        chdir_to_trial_dir: not supported.
        local_dir: old name of ``storage_path``.
        loggers: the older kind of loggers: classes, such as ``DEFAULT_LOGGERS + (WandbLogger,)``.

    Raises:
        BadArgument: something of this cannot be used; nothing was started.
        TuneError: a trial failed, and *raise_on_failed_trial*.

    >>> from luthier import tune
    >>> analysis = tune.run(lambda config: {"loss": config["x"] ** 2}, config={"x": tune.grid_search([1, 2])},
    ...                     metric="loss", mode="min", verbose=0, executor="inline")
    >>> analysis.best_config
    {'x': 1}
    """
    if isinstance(run_or_experiment, Experiment):
        arguments = {name: given for name, given in locals().items() if name != "run_or_experiment"}
        described = {**run_or_experiment.spec, "name": run_or_experiment.name}
        return run(run_or_experiment.run, **{**arguments, **described})
    later = {
        "restore": restore,
        "export_formats": export_formats,
    }
    for argument, given in later.items():
        if given:
            raise BadArgument(argument, given, "nothing: it is not supported yet")
    if config is not None and hasattr(config, "to_dict"):
        config = config.to_dict()
    if config is not None and not isinstance(config, dict):
        raise BadArgumentType("config", config, "a dict")
    trainable = run_or_experiment
    if resources_per_trial is not None:
        trainable = with_resources(resolve(trainable), resources_per_trial)
        if isinstance(run_or_experiment, str):
            trainable.__name__ = run_or_experiment
    run_config = RunConfig(
        name=name,
        storage_path=storage_path,
        storage_filesystem=storage_filesystem,
        failure_config=FailureConfig(max_failures=max_failures, fail_fast=fail_fast),
        checkpoint_config=checkpoint_config
        or _old_checkpointing(keep_checkpoints_num, checkpoint_score_attr, checkpoint_freq, at_end=checkpoint_at_end),
        sync_config=sync_config,
        verbose=1 if verbose is None else verbose,
        stop=stop,
        callbacks=with_loggers(callbacks, loggers, config),
        progress_reporter=progress_reporter,
        log_to_file=log_to_file,
        local_dir=local_dir,
        executor=executor or default_executor(),
    )
    tune_config = TuneConfig(
        mode=mode,
        metric=metric,
        search_alg=search_alg,
        scheduler=scheduler,
        num_samples=num_samples,
        max_concurrent_trials=max_concurrent_trials,
        time_budget_s=time_budget_s,
        reuse_actors=reuse_actors,
        trial_name_creator=trial_name_creator,
        trial_dirname_creator=trial_dirname_creator,
        chdir_to_trial_dir=chdir_to_trial_dir,
        seed=seed,
    )
    resuming = parsed(resume, resume_config)
    directory = None if resuming is None else _to_resume(run_config, resume, must=resuming.must)
    if directory is None or resuming is None:
        tuner = Tuner(trainable, param_space=config, tune_config=tune_config, run_config=run_config)
    else:
        tuner = Tuner.restore(
            directory,
            trainable,
            param_space=config,
            storage_filesystem=storage_filesystem,
            _resume_config=resuming.config,
            tune_config=tune_config,
            run_config=run_config,
        )
    grid = tuner.fit()
    analysis = ExperimentAnalysis(grid.experiment_path)
    if raise_on_failed_trial and grid.num_errors:
        failed = [trial for trial in analysis.trials if trial.status == "ERROR"]
        msg = f"Trials did not complete: {failed}"
        raise TuneError(msg) from grid.errors[0]
    return analysis


def _to_resume(run_config: RunConfig, resume: bool | str | None, *, must: bool) -> str | None:
    """Return the directory of the experiment that goes on; None where a new one is to be begun.

    Raises:
        BadArgument: it *must* be there, and is not.
    """
    if run_config.name is None:
        if must:
            raise BadArgument("name", None, "the name of the experiment that is to go on", f"resume is {resume!r}")
        return None
    storage, name = storage_of(run_config), run_config.name
    directory = os.path.join(storage, name) if isinstance(storage, str) else storage.child(name).url
    if Tuner.can_restore(directory, run_config.storage_filesystem):
        return directory
    if must:
        raise BadArgument("resume", resume, "'AUTO' to begin a new one then", f"there is no experiment in {directory}")
    return None


def _old_checkpointing(keep: int | None, score: str | None, frequency: int, *, at_end: bool) -> CheckpointConfig:
    """Return what the old arguments mean."""
    if keep is None and score is None and not frequency and not at_end:
        return CheckpointConfig()
    warnings.warn(
        "keep_checkpoints_num, checkpoint_score_attr, checkpoint_freq and checkpoint_at_end are old: give "
        "checkpoint_config=CheckpointConfig(...)",
        DeprecationWarning,
        stacklevel=3,
    )
    order = "min" if score and score.startswith("min-") else "max"
    return CheckpointConfig(keep, score.removeprefix("min-") if score else None, order, frequency, at_end or None)
