"""Classes as trainables."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.checkpoints.base import Checkpoint, read_dict, write_dict
from luthier.core.errors import BadArgumentType
from luthier.worker.bundles import PlacementGroupFactory
from luthier.worker.metrics import plain
from luthier.worker.progress import Progress
from luthier.worker.session import current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.core.terms import Config
    from luthier.worker.assignment import Assignment


class Saved(msgspec.Struct, frozen=True):
    """What :meth:`Trainable.save` returns, and :meth:`Trainable.restore` takes.

    Attributes:
        checkpoint: where the state lies.
        metrics: the last result before it was saved; empty where there was none.
    """

    checkpoint: Checkpoint
    metrics: dict[str, Any]


class Trainable:
    """A training in steps.

    Subclasses define :meth:`step` and usually :meth:`setup`, :meth:`save_checkpoint` and :meth:`load_checkpoint`.
    It also works by itself, without a tuner: that is how to debug one.

    Args:
        config: the hyperparameters; ``self.config`` afterwards.
        storage: accepted, without effect.

    >>> class Halving(Trainable):
    ...     def setup(self, config):
    ...         self.loss = config["start"]
    ...     def step(self):
    ...         self.loss /= 2
    ...         return {"loss": self.loss}
    >>> training = Halving({"start": 8})
    >>> training.train()["loss"], training.train()["training_iteration"]
    (4.0, 2)
    """

    def __init__(self, config: Config | None = None, storage: Any = None) -> None:
        self.config: Config = {} if config is None else config
        self._storage = storage
        self._trial: Assignment | None = None
        self._logdir: str | None = None
        self._begin()
        self.setup(fresh_copy(self.config))

    def _begin(self) -> None:
        """Start counting at the beginning, for whichever trial runs now."""
        session = current()
        self._trial = None if session is None else session.assignment
        self._logdir = None if self._trial is None else self._trial.trial_dir
        self._progress = Progress()
        self._last_result: dict[str, Any] | None = None
        self._start_time = time.time()

    # -- to be defined by subclasses -----------------------------------------------------------------------------------
    def setup(self, config: Config) -> None:
        """Get ready; *config* is a copy of ``self.config``."""

    def step(self) -> dict[str, Any]:
        """Train for one iteration and return the metrics.

        ``{"done": True}`` in them ends the trial, ``{"should_checkpoint": True}`` saves it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any] | str | None:
        """Write the state into *checkpoint_dir*, or return it as a dict."""
        raise NotImplementedError(f"{type(self).__name__} does not define save_checkpoint()")

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Go on from *checkpoint*: the dict that :meth:`save_checkpoint` returned, else the directory."""
        raise NotImplementedError(f"{type(self).__name__} does not define load_checkpoint()")

    def reset_config(self, new_config: Config) -> bool:
        """Become the trainable of *new_config* without being built anew; return whether that was done."""
        return False

    def cleanup(self) -> None:
        """Let go of what is held; called once, in the end."""

    def log_result(self, result: dict[str, Any]) -> None:
        """Look at a complete *result* before it is reported."""

    def _export_model(self, export_formats: list[str], export_dir: str) -> dict[str, str]:
        return {}

    @classmethod
    def default_resource_request(cls, config: Config) -> Mapping[str, float] | None:  # noqa: ARG003
        """Return what a trial of *config* asks for; None for one CPU."""
        return None

    @classmethod
    def resource_help(cls, config: Config) -> str:  # noqa: ARG003 (for subclasses)
        """Return a hint on the resources that this trainable needs."""
        return ""

    # -- what a tuner calls --------------------------------------------------------------------------------------------
    def train(self) -> dict[str, Any]:
        """Run one :meth:`step` and return its result with the fields that every result has.

        Raises:
            BadArgumentType: ``step`` returned no dict.
        """
        began = time.perf_counter()
        given = self.step()
        if not isinstance(given, dict):
            raise BadArgumentType("the result of step()", given, "a dict of metrics")
        result = plain(given)
        self._progress.fill(result, time.perf_counter() - began)
        result["trial_id"] = self.trial_id
        result["date"] = time.strftime("%Y-%m-%d_%H-%M-%S")
        result["config"] = self.config
        self.log_result(result)
        self._last_result = result
        return result

    def save(self, checkpoint_dir: str | None = None) -> Saved:
        """Save the state in *checkpoint_dir* (a fresh temporary directory where None).

        Raises:
            ValueError: ``save_checkpoint`` returned another path than the one it was given.
        """
        folder = checkpoint_dir or tempfile.mkdtemp(prefix="luthier_checkpoint_")
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._save_into(folder)
        return Saved(Checkpoint.from_directory(folder), dict(self._last_result or {}))

    def _save_into(self, folder: str) -> None:
        state = self.save_checkpoint(folder)
        if isinstance(state, dict):
            write_dict(state, folder)
        elif state is not None and _normal(state) != _normal(folder):
            raise ValueError(
                f"{type(self).__name__}.save_checkpoint() returned {state!r}: return a dict, None, or the directory "
                f"that was given ({folder!r})"
            )

    def restore(self, checkpoint: str | os.PathLike[str] | Checkpoint | Saved) -> None:
        """Go on from what :meth:`save` returned, or from a checkpoint or its path.

        Raises:
            ValueError: the checkpoint is gone.
        """
        metrics: dict[str, Any] = checkpoint.metrics if isinstance(checkpoint, Saved) else {}
        if isinstance(checkpoint, Saved):
            checkpoint = checkpoint.checkpoint
        self._load(checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint))
        self._progress = Progress(
            metrics.get("training_iteration", 0),
            metrics.get("time_total_s", 0.0),
            metrics.get("timesteps_total"),
            metrics.get("episodes_total"),
        )

    def _load(self, checkpoint: Checkpoint) -> None:
        try:
            with checkpoint.as_directory() as folder:
                state = read_dict(folder)
                self.load_checkpoint(folder if state is None else state)
        except FileNotFoundError as error:
            if Path(checkpoint.path).is_dir() or checkpoint.local_path is None:
                raise
            raise ValueError(f"cannot restore from {checkpoint!r}: it is gone") from error

    def start_from(self, checkpoint: Checkpoint | None, progress: Progress) -> None:
        """Go on from *checkpoint*, if there is one, counting on from *progress*."""
        if checkpoint is not None:
            self._load(checkpoint)
        self._progress = progress

    def reset(self, new_config: Config, storage: Any = None) -> bool:
        """Become the trainable of *new_config* if :meth:`reset_config` can do that; return whether it could."""
        self.config, self._storage = new_config, storage
        if not self.reset_config(fresh_copy(new_config)):
            return False
        self._begin()
        return True

    def stop(self) -> None:
        """Let go of everything."""
        self.cleanup()

    def export_model(self, export_formats: list[str] | str, export_dir: str | None = None) -> dict[str, str]:
        """Export the model in *export_formats* to *export_dir* (:attr:`logdir` where None); return format to path.

        Subclasses define ``_export_model(export_formats, export_dir)``.
        """
        formats = [export_formats] if isinstance(export_formats, str) else list(export_formats)
        return self._export_model(formats, export_dir or self.logdir)

    # -- what may be asked ---------------------------------------------------------------------------------------------
    def get_config(self) -> Config:
        """Return the hyperparameters."""
        return self.config

    def get_state(self) -> dict[str, Any]:
        """Return how far the training has come."""
        done = self._progress
        return {
            "iteration": done.iteration,
            "time_total": done.time_total_s,
            "timesteps_total": done.timesteps_total,
            "episodes_total": done.episodes_total,
            "last_result": self._last_result,
        }

    @property
    def logdir(self) -> str:
        """The trial's directory; a temporary one without a tuner."""
        if self._logdir is None:
            self._logdir = tempfile.mkdtemp(prefix="luthier_trainable_")
        return self._logdir

    @property
    def trial_id(self) -> str:
        """The trial's id; "default" without a tuner."""
        return "default" if self._trial is None else str(self._trial.trial)

    @property
    def trial_name(self) -> str:
        """The trial's name; "default" without a tuner."""
        return "default" if self._trial is None else self._trial.name

    @property
    def trial_resources(self) -> PlacementGroupFactory | None:
        """What the trial holds, by ``["cpu"]`` or ``.required_resources["CPU"]``; None without a tuner."""
        return None if self._trial is None else PlacementGroupFactory.holding(self._trial.resources)

    @property
    def iteration(self) -> int:
        """How many iterations have been trained."""
        return self._progress.iteration

    @property
    def training_iteration(self) -> int:
        """The same as :attr:`iteration`."""
        return self._progress.iteration


ADDED = ("trial_id", "date", "config")  # fields of train() that a tuner adds to its results itself


def fresh_copy(config: Any) -> Any:
    """Return *config* in dicts, lists, tuples and sets of its own; what they hold is the same.

    >>> config = {"layers": [1, 2]}
    >>> fresh_copy(config)["layers"] is config["layers"], fresh_copy(config) == config
    (False, True)
    """
    kind = type(config)
    if kind is dict:
        return {name: fresh_copy(value) for name, value in config.items()}
    if kind is list or kind is tuple:
        return kind([fresh_copy(value) for value in config])
    if kind is set:
        return set(config)
    return config


def _normal(path: str | os.PathLike[str]) -> str:
    return os.path.normpath(os.path.abspath(path))
