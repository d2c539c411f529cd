"""Comet: an experiment for each trial, online or as an archive on disk."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgumentType
from luthier.core.space import same
from luthier.tune.installed import demand
from luthier.tune.logger.tracked import plain, written
from luthier.tune.logger.tracker import Tracker

if TYPE_CHECKING:
    from luthier.tune.logger.tracked import Reading, Tracked

# Off unless asked for: they slow down, or belong to the process that runs the experiment and not to a trial.
QUIET = (
    "auto_metric_logging",
    "auto_output_logging",
    "auto_param_logging",
    "log_code",
    "log_env_cpu",
    "log_env_details",
    "log_env_gpu",
    "log_git_metadata",
    "log_git_patch",
    "log_graph",
    "parse_args",
)
_ENDING = 16  # experiments that end at the same time; each takes Comet a second


class CometLoggerCallback(Tracker):
    """Tells Comet of each trial: parameters, numeric metrics, and checkpoints if wanted.

    An experiment that is restored goes on with the same experiments at Comet; the key of each is made of the names of
    experiment and trial.

    Args:
        online: whether Comet is told at once (``$COMET_API_KEY``); otherwise archives are written that
            ``comet upload`` takes.
        tags: of every experiment at Comet.
        save_checkpoints: whether checkpoints are stored: as artifacts, or in an archive as files.
        experiment_kwargs: for ``comet_ml.Experiment`` or ``OfflineExperiment``, such as ``workspace``,
            ``project_name``, ``offline_directory`` or ``api_key`` (which is never written to disk).

    Raises:
        MissingLibrary: Comet's library is not installed.
        BadArgumentType: *tags* is no list.

    >>> callback = CometLoggerCallback(online=False, tags=["digits"], offline_directory="comet")
    """

    _passing = Tracker._passing | {"_open", "_ends", "_begun"}  # noqa: SLF001 (a subclass)

    def __init__(
        self,
        online: bool = True,
        tags: list[str] | None = None,
        save_checkpoints: bool = False,
        **experiment_kwargs: Any,
    ) -> None:
        if tags is not None and not isinstance(tags, list | tuple):
            raise BadArgumentType("tags", tags, "a list of texts")
        os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")  # before the library is imported anywhere
        demand("CometLoggerCallback", "comet_ml", "comet", later=True)
        self.online, self.tags, self.save_checkpoints = online, tags, save_checkpoints
        self.experiment_kwargs = {**dict.fromkeys(QUIET, False), "display_summary_level": 0, **experiment_kwargs}
        self._known: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        kwargs = {name: value for name, value in self.experiment_kwargs.items() if name != "api_key"}
        return {**super().__getstate__(), "experiment_kwargs": kwargs}

    def setup(
        self, stop: Any = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: Any
    ) -> None:
        """Begin anew."""
        self._open: dict[str, Any] = {}
        self._begun: dict[str, dict[str, Any]] = {}
        self._ends: list[threading.Thread] = []
        super().setup(stop, num_samples, total_num_samples, **info)

    def get_state(self) -> dict[str, Any] | None:
        """Return which experiments there are at Comet."""
        return {"known": set(self._known)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`get_state` returned."""
        self._known = set(state["known"])

    # -- in the thread -------------------------------------------------------------------------------------------------
    def begin(self, trial: Tracked, known: bool) -> None:
        """Begin an experiment, or go on with it."""
        experiment = self._experiment(trial)
        before = self._begun.get(trial.trial_id)
        new = {n: v for n, v in trial.config.items() if before is None or not same(before.get(n, self), v)}
        self._begun[trial.trial_id] = trial.config
        if new:
            experiment.log_parameters({written(name): plain(value) for name, value in new.items()})

    def result(self, trial: Tracked, reading: Reading) -> None:
        """Tell the numbers."""
        numbers = {written(name): value for name, value in reading.numbers.items()}
        self._experiment(trial).log_metrics(numbers, step=reading.step)

    def saved(self, trial: Tracked, checkpoint: str) -> None:
        """Store a checkpoint: as an artifact, or offline (where Comet has none) as files."""
        if not self.save_checkpoints or not os.path.isdir(checkpoint):
            return
        from comet_ml import Artifact

        experiment = self._experiment(trial)
        files = [os.path.join(inside, name) for inside, _, names in os.walk(checkpoint) for name in sorted(names)]
        if not self.online:
            for path in files:
                name = os.path.join(os.path.basename(checkpoint), os.path.relpath(path, checkpoint))
                experiment.log_asset(path, file_name=name)
            return
        artifact = Artifact(name=f"checkpoint_{trial.name}", artifact_type="model")
        for path in files:
            artifact.add(path, logical_path=os.path.relpath(path, checkpoint))
        experiment.log_artifact(artifact)

    def end(self, trial: Tracked, failed: bool) -> None:
        """End an experiment."""
        self._experiment(trial).log_other("status", "failed" if failed else "finished")
        self._end(trial)

    def left(self, unfinished: list[Tracked]) -> None:
        """End those that are left, and wait until all have."""
        for trial in unfinished:
            if trial.trial_id in self._open:
                self._open[trial.trial_id].log_other("status", "interrupted")
                self._end(trial)
        for thread in self._ends:
            thread.join()
            self._gets_on()

    def _end(self, trial: Tracked) -> None:
        self._begun.pop(trial.trial_id, None)
        self._ends = [thread for thread in self._ends if thread.is_alive()]
        if len(self._ends) >= _ENDING:
            self._ends.pop(0).join()
        thread = threading.Thread(target=self._open.pop(trial.trial_id).end, name="luthier-comet-end", daemon=True)
        thread.start()
        self._ends.append(thread)

    def _experiment(self, trial: Tracked) -> Any:
        found = self._open.get(trial.trial_id)
        if found is not None:
            return found
        import comet_ml
        from comet_ml import config

        given, key = dict(self.experiment_kwargs), key_of(trial)
        again = key in self._known
        if self.online:
            kind: Any = comet_ml.ExistingExperiment if again else comet_ml.Experiment
        else:
            kind = comet_ml.ExistingOfflineExperiment if again else comet_ml.OfflineExperiment
        found = kind(**given, **({"previous_experiment": key} if again else {"experiment_key": key}))
        config.set_global_experiment(None)  # type: ignore[attr-defined, no-untyped-call]  # there is one for each trial
        self._known.add(key)
        self._open[trial.trial_id] = found
        found.set_name(trial.name)
        if self.tags:
            found.add_tags(list(self.tags))
        found.log_others({"trial_id": trial.trial_id, "experiment": trial.experiment, "Created from": "Luthier"})
        return found


def key_of(trial: Tracked) -> str:
    """Return the key of a trial's experiment at Comet: 40 letters and digits."""
    return hashlib.sha1(trial.key.encode("utf-8", "backslashreplace"), usedforsecurity=False).hexdigest()
