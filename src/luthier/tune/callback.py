"""The hooks by which users follow an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luthier.tune.checkpoint import Checkpoint
    from luthier.tune.trial import Trial


class Callback:
    """Start for own callbacks: override the hooks that you want.

    *iteration* counts the batches of work, *trials* holds all trials so far.  What a callback raises is shown and
    does not disturb the experiment.

    Attributes:
        experiment_dir: the experiment's directory, from :meth:`setup` on.

    >>> class Shout(Callback):
    ...     def on_trial_complete(self, iteration, trials, trial, **info):
    ...         print(trial.trial_id, "is done")
    """

    experiment_dir: str = ""

    def setup(
        self,
        stop: Any = None,
        num_samples: int | None = None,
        total_num_samples: int | None = None,
        **info: Any,
    ) -> None:
        """Be called once before the first trial."""

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Be called before each batch of work is told."""

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Be called after each batch of work was told."""

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Be called when a trial starts (each attempt)."""

    def on_trial_restore(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Be called when an attempt starts from a checkpoint."""

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Be called when a checkpoint was saved."""

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Be called for each result."""

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Be called when a trial ended well, or was stopped."""

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Be called when a failed trial is going to be tried again."""

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Be called when a trial failed for good."""

    def on_checkpoint(
        self, iteration: int, trials: list[Trial], trial: Trial, checkpoint: Checkpoint, **info: Any
    ) -> None:
        """Be called with each checkpoint."""

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Be called once after the last trial."""

    def get_state(self) -> dict[str, Any] | None:
        """Return what is to survive a restart, if anything."""
        return None

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`get_state` returned."""
