"""Start for own loggers: one hook for each thing that a logger wants to know of a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.tune.callback import Callback
from luthier.tune.logger.pretty_print import pretty_print

if TYPE_CHECKING:
    from luthier.tune.trial import Trial

__all__ = ["LoggerCallback", "pretty_print"]


class LoggerCallback(Callback):
    """Start for own loggers: override the hooks that you want.

    They are called in the process that runs the experiment, in the order in which things happen.  What a hook raises is
    shown once and does not disturb the experiment.

    >>> class Lines(LoggerCallback):
    ...     def log_trial_result(self, iteration, trial, result):
    ...         print(trial.trial_id, result["loss"])
    """

    def log_trial_start(self, trial: Trial) -> None:
        """Be called when a trial starts (each attempt)."""

    def log_trial_restore(self, trial: Trial) -> None:
        """Be called when an attempt starts from a checkpoint."""

    def log_trial_save(self, trial: Trial) -> None:
        """Be called when a checkpoint was saved: ``trial.checkpoint``."""

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Be called for each *result*; *iteration* counts the experiment's batches of work."""

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """Be called when a trial has come to its end: well or stopped, or *failed* for good."""

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Call :meth:`log_trial_start`."""
        self.log_trial_start(trial)

    def on_trial_restore(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Call :meth:`log_trial_restore`."""
        self.log_trial_restore(trial)

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Call :meth:`log_trial_save`."""
        self.log_trial_save(trial)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Call :meth:`log_trial_result`."""
        self.log_trial_result(iteration, trial, result)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Call :meth:`log_trial_end`."""
        self.log_trial_end(trial, failed=False)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Call :meth:`log_trial_end`, with *failed*."""
        self.log_trial_end(trial, failed=True)
