"""What a user may say about an experiment: Ray Tune's config classes, field for field, and a few of our own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.goals import goals_of
from luthier.tune.staging import check_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_UNSET = "DEPRECATED"
CLUSTERS = ("ray", "dask")  # executors whose workers are other machines


@dataclass
class TuneConfig:
    """How to tune.

    Attributes:
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        metric: the reported metric to optimise; ``a/b`` descends nested metrics.  A list of them has several goals
            weighed against each other, by a search algorithm that can: see ``ResultGrid.pareto_front``.
        search_alg: a searcher, or its name; random search and grid search where None.
        scheduler: a scheduler, or its name; first in, first out where None.
        num_samples: how often the space is sampled (it multiplies a grid); -1 for no end.
        max_concurrent_trials: how many trials run at once; as many as fit where None.
        time_budget_s: seconds (or a timedelta) after which the experiment ends.
        reuse_actors: whether a process goes on with the next trial instead of making room for a new one.
        trial_name_creator: function of the trial that returns its name.
        trial_dirname_creator: function of the trial that returns the name of its directory.
        chdir_to_trial_dir: not supported, as trials keep the working directory of the script.
        seed: makes searcher, scheduler and trials repeatable.

    >>> TuneConfig(metric="loss", mode="min", num_samples=10).num_samples
    10
    """

    mode: str | Sequence[str] | None = None
    metric: str | Sequence[str] | None = None
    search_alg: Any = None
    scheduler: Any = None
    num_samples: int = 1
    max_concurrent_trials: int | None = None
    time_budget_s: float | timedelta | None = None
    reuse_actors: bool = False
    trial_name_creator: Callable[[Any], str] | None = None
    trial_dirname_creator: Callable[[Any], str] | None = None
    chdir_to_trial_dir: bool | str = _UNSET
    seed: int | None = None

    def __post_init__(self) -> None:
        modes = list(self.mode) if isinstance(self.mode, (list, tuple)) else [self.mode]
        if not modes or any(mode not in (None, "min", "max") for mode in modes):
            raise BadArgument("mode", self.mode, "'min' or 'max'")
        metrics = self.metric if isinstance(self.metric, (list, tuple)) else [self.metric]
        if self.metric is not None and not (metrics and all(isinstance(name, str) and name for name in metrics)):
            raise BadArgumentType("metric", self.metric, "the name of a reported metric, or a list of such")
        if self.metric is not None and self.mode is not None:
            goals_of(self.metric, self.mode)
        _whole("num_samples", self.num_samples, least=1, special=-1, special_means="no end")
        if self.max_concurrent_trials is not None:
            _whole("max_concurrent_trials", self.max_concurrent_trials, least=0)
        if isinstance(self.time_budget_s, timedelta):
            self.time_budget_s = self.time_budget_s.total_seconds()
        if self.time_budget_s is not None:
            if isinstance(self.time_budget_s, bool) or not isinstance(self.time_budget_s, (int, float)):
                raise BadArgumentType("time_budget_s", self.time_budget_s, "a number of seconds, or a timedelta")
            if not self.time_budget_s > 0:
                raise BadArgument("time_budget_s", self.time_budget_s, "a number of seconds > 0")
        if self.chdir_to_trial_dir not in (_UNSET, False):
            raise BadArgument(
                "chdir_to_trial_dir",
                self.chdir_to_trial_dir,
                "nothing, and write to tune.get_context().get_trial_dir() instead",
                "trials keep the working directory of the script",
            )
        if self.seed is not None:
            if isinstance(self.seed, bool) or not hasattr(self.seed, "__index__"):
                raise BadArgumentType("seed", self.seed, "an integer")
            self.seed = int(self.seed)


@dataclass
class FailureConfig:
    """What to do about trials that fail.

    Attributes:
        max_failures: how often a trial is tried again, from its last checkpoint; -1 for any number of times.
        fail_fast: True ends the experiment at the first trial that fails; ``"raise"`` raises its error, too.
        trial_timeout_s: seconds that one attempt at a trial may take; then it is ended, and has failed.  (Luthier's
            own, as is the next one.  A trial that runs inline cannot be ended; there they have no effect.)
        report_timeout_s: seconds that a trial may take for its first report, and from one to the next; then it hangs:
            it is ended, and has failed.  The error shows where it stood.
        start_timeout_s: seconds that loading the trainable, with all that it imports, may take in the process that
            trials are forked from; then the experiment fails, with the place where that stood.  None for no limit.

    >>> FailureConfig(max_failures=2).max_failures
    2
    """

    max_failures: int = 0
    fail_fast: bool | str = False
    trial_timeout_s: float | None = field(default=None, kw_only=True)
    report_timeout_s: float | None = field(default=None, kw_only=True)
    start_timeout_s: float | None = field(default=600.0, kw_only=True)

    def __post_init__(self) -> None:
        _whole("max_failures", self.max_failures, least=0, special=-1, special_means="any number of times")
        if self.fail_fast not in (True, False, "raise"):
            raise BadArgument("fail_fast", self.fail_fast, "True, False or 'raise'")
        if self.fail_fast and self.max_failures:
            raise BadArgument(
                "max_failures", self.max_failures, "one of the two", f"fail_fast is {self.fail_fast!r} already"
            )
        for name in ("trial_timeout_s", "report_timeout_s", "start_timeout_s"):
            given = getattr(self, name)
            if given is not None and (isinstance(given, bool) or not isinstance(given, (int, float))):
                raise BadArgumentType(name, given, "a number of seconds, or None for no limit")
            if given is not None and not given > 0:
                raise BadArgument(name, given, "a number of seconds > 0, or None for no limit")


@dataclass
class CheckpointConfig:
    """Which checkpoints are made and kept.

    Attributes:
        num_to_keep: how many a trial keeps; all where None.
        checkpoint_score_attribute: metric that says which are the best; the newest are kept where None.
        checkpoint_score_order: ``"max"`` or ``"min"``.
        checkpoint_frequency: a ``Trainable`` class saves every so many iterations; 0 for never.
        checkpoint_at_end: whether a ``Trainable`` class saves at its end (the default).

    >>> CheckpointConfig(num_to_keep=2, checkpoint_score_attribute="accuracy").checkpoint_score_order
    'max'
    """

    num_to_keep: int | None = None
    checkpoint_score_attribute: str | None = None
    checkpoint_score_order: str = "max"
    checkpoint_frequency: int = 0
    checkpoint_at_end: bool | None = None

    def __post_init__(self) -> None:
        if self.num_to_keep is not None:
            _whole("num_to_keep", self.num_to_keep, least=1)
        if self.checkpoint_score_order not in ("max", "min"):
            raise BadArgument("checkpoint_score_order", self.checkpoint_score_order, "'max' or 'min'")
        _whole("checkpoint_frequency", self.checkpoint_frequency, least=0)


@dataclass
class SyncConfig:
    """How results get to a storage path that is a URL.

    Attributes:
        sync_period: accepted so that scripts run; see *upload_period_s*.
        sync_timeout: seconds that ``fit()`` waits at its end for what is not uploaded yet.
        sync_artifacts: accepted so that scripts run; all files in a trial's directory are uploaded when it has ended.
        sync_artifacts_on_checkpoint: accepted so that scripts run.
        upload_period_s: seconds between two uploads of what was recorded meanwhile.
        lease_s: seconds without a sign of life from this driver after which one on another machine may go on with the
            experiment in its place.

    >>> SyncConfig(sync_timeout=600).upload_period_s
    2.0
    """

    sync_period: int = 300
    sync_timeout: float = 1800
    sync_artifacts: bool = False
    sync_artifacts_on_checkpoint: bool = True
    upload_period_s: float = 2.0
    lease_s: float = 60.0

    def __post_init__(self) -> None:
        for name, least in (("sync_timeout", 0), ("upload_period_s", 0), ("lease_s", 1)):
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, int | float):
                raise BadArgumentType(name, given, "a number of seconds")
            if not given >= least:
                raise BadArgument(name, given, f"a number of seconds >= {least}")


@dataclass
class RunConfig:
    """Where an experiment lives, when it stops, and who hears of it.

    Attributes:
        name: the experiment's name; made of the trainable's name and the time where None.
        storage_path: directory that holds experiments, or a URL that fsspec understands, such as
            ``s3://bucket/folder``; ``$LUTHIER_STORAGE_PATH`` or ``~/luthier_results`` where None.
        storage_filesystem: fsspec file system on which *storage_path* lies, where a URL does not tell it all.
        failure_config: what to do about trials that fail.
        checkpoint_config: which checkpoints are made and kept.
        sync_config: how uploads are done where *storage_path* is a URL.
        verbose: 0 says nothing, 1 the usual, 2 also each result, 3 everything.
        stop: ``{"metric": threshold}``, a function ``(trial_id, result) -> bool``, or a ``Stopper``.
        callbacks: :class:`luthier.tune.Callback` objects.
        progress_reporter: a ``CLIReporter``, ``JupyterNotebookReporter`` or ``ProgressReporter`` of your own, in place
            of the live table.
        log_to_file: accepted so that scripts run; output always goes to ``stdout`` and ``stderr`` in the trial's
            directory.
        local_dir: the old name of ``storage_path``.
        executor: ``"process"`` (each trial a process of its own), ``"inline"`` (all in this one, for debugging),
            ``"ray"`` (each trial an actor of a Ray cluster) or ``"dask"`` (each trial a process on a worker of a Dask
            cluster); ``$LUTHIER_EXECUTOR`` where not given.
        executor_options: for ``"ray"``, arguments of ``ray.init`` such as ``{"address": "auto"}``, where the script has
            not called it itself; for ``"dask"``, those of ``distributed.Client``.
        start_method: how processes start: ``"fork"``, ``"spawn"`` or ``"auto"``.
        resources: what this machine is to offer, e.g. ``{"cpu": 4, "licence": 1}``; counted where missing.
        echo: whether what trials print is shown here too.
        grace_s: seconds that a trial has to let go before it is killed.

    >>> RunConfig(name="digits", stop={"training_iteration": 5}).verbose
    1
    """

    name: str | None = None
    storage_path: str | os.PathLike[str] | None = None
    storage_filesystem: Any = None
    failure_config: FailureConfig | None = None
    checkpoint_config: CheckpointConfig | None = None
    sync_config: SyncConfig | None = None
    verbose: int | None = None
    stop: Mapping[str, Any] | Callable[[str, dict[str, Any]], bool] | Any = None
    callbacks: Sequence[Any] | None = None
    progress_reporter: Any = None
    log_to_file: bool | str | tuple[str, str] = False
    local_dir: str | None = None
    executor: str = field(default_factory=lambda: default_executor())  # noqa: PLW0108 (defined below)
    executor_options: Mapping[str, Any] | None = None
    start_method: Literal["auto", "fork", "spawn"] = "auto"
    resources: Mapping[str, float] | None = None
    echo: bool = False
    grace_s: float = 10.0

    def __post_init__(self) -> None:
        if self.verbose is None:
            self.verbose = 1
        _whole("verbose", int(self.verbose), least=0)
        if self.local_dir is not None and self.storage_path is None:
            self.storage_path = self.local_dir
        if self.name is not None:
            if not isinstance(self.name, str) or not self.name or self.name in (".", ".."):
                raise BadArgumentType("name", self.name, "a name that can be a directory")
            if any(c in self.name for c in '/\\<>:"|?*\0'):
                raise BadArgument("name", self.name, 'a name without / \\ < > : " | ? *')
            if any("\ud800" <= c <= "\udfff" for c in self.name):
                raise BadArgument("name", self.name, "a name that UTF-8 can say", "it holds half a character")
        if self.executor not in ("process", "inline", *CLUSTERS):
            raise BadArgument("executor", self.executor, "'process', 'inline', 'ray' or 'dask'")
        if self.executor_options is not None and self.executor not in CLUSTERS:
            given = f"only with executor='ray' or 'dask', and it is {self.executor!r}"
            raise BadArgument("executor_options", self.executor_options, "nothing", given)
        if self.executor in CLUSTERS and self.resources is not None:
            takes = "{'num_cpus': 4}" if self.executor == "ray" else "{'n_workers': 1, 'threads_per_worker': 4}"
            wanted = f"nothing: the cluster says what it has; a local one takes executor_options={takes}"
            raise BadArgument("resources", self.resources, wanted)
        if self.start_method not in ("auto", "fork", "spawn"):
            raise BadArgument("start_method", self.start_method, "'auto', 'fork' or 'spawn'")
        check_storage(self.storage_path, self.storage_filesystem)
        for name, kind in (
            ("failure_config", FailureConfig),
            ("checkpoint_config", CheckpointConfig),
            ("sync_config", SyncConfig),
        ):
            given = getattr(self, name)
            if given is not None and not isinstance(given, kind):
                raise BadArgumentType(name, given, f"a {kind.__name__}")
        self.sync_config = self.sync_config or SyncConfig()
        self.failure_config = self.failure_config or FailureConfig()
        self.checkpoint_config = self.checkpoint_config or CheckpointConfig()


def default_executor() -> str:
    """Return how trials run where nobody says: ``$LUTHIER_EXECUTOR``, or in processes."""
    return os.environ.get("LUTHIER_EXECUTOR", "process")


def _whole(argument: str, given: object, *, least: int, special: int | None = None, special_means: str = "") -> None:
    """Refuse what is not a whole number >= *least* (or the *special* one)."""
    also = "" if special is None else f", or {special} for {special_means}"
    if isinstance(given, bool) or not isinstance(given, int):
        raise BadArgumentType(argument, given, f"a whole number >= {least}{also}")
    if given < least and given != special:
        raise BadArgument(argument, given, f"a whole number >= {least}{also}")
