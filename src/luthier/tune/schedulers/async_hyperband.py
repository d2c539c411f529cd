"""Asynchronous successive halving under Ray Tune's name and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.tune.schedulers.trial_scheduler import TrialScheduler

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler
    from luthier.schedulers.asha import Asha


class AsyncHyperBandScheduler(TrialScheduler):
    """Stops trials early that are not among the best at their milestones (ASHA).

    Args:
        time_attr: the reported field that counts a trial's progress; must grow.
        metric: metric to judge by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
        max_t: a trial ends when ``time_attr`` reaches this.
        grace_period: no trial is stopped before ``time_attr`` reaches this.
        reduction_factor: one in this many goes on past each milestone.
        brackets: how many sets of milestones there are; later ones start later.
        stop_last_trials: whether trials end at ``max_t``.

    Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020.

    >>> AsyncHyperBandScheduler(metric="loss", mode="min", max_t=27, grace_period=1, reduction_factor=3).max_t
    27
    """

    def __init__(
        self,
        time_attr: str = "training_iteration",
        metric: str | None = None,
        mode: str | None = None,
        max_t: float = 100,
        grace_period: float = 1,
        reduction_factor: float = 4,
        brackets: int = 1,
        stop_last_trials: bool = True,
    ) -> None:
        super().__init__(metric, mode)
        self.time_attr, self.max_t, self.grace_period = time_attr, max_t, grace_period
        self.reduction_factor, self.brackets, self.stop_last_trials = reduction_factor, brackets, stop_last_trials
        self._built: Asha | None = None
        self._make(None)  # bad numbers are refused here, where they were written

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy.

        Raises:
            BadArgument: nobody said what to judge by.
        """
        goal = self.goal(inherited)
        if goal is None:
            raise BadArgument("metric", None, "metric and mode, in TuneConfig or in the scheduler", "ASHA needs them")
        self._built = self._make(goal)
        return self._built

    def debug_string(self) -> str:
        """Return how many trials were stopped so far, and what it takes to pass each milestone, highest first.

        >>> print(AsyncHyperBandScheduler(max_t=4, reduction_factor=2).debug_string())
        Using AsyncHyperBand: num_stopped=0
        Bracket: Iter 4.000: None | Iter 2.000: None | Iter 1.000: None
        """
        return (self._built or self._make(None)).spelled()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_built": None}  # what was decided is in the log

    def _make(self, goal: Goal | None) -> Asha:
        from luthier.schedulers.asha import Asha

        return Asha(
            time_attr=self.time_attr,
            goal=goal,
            max_t=self.max_t,
            grace_period=self.grace_period,
            reduction_factor=self.reduction_factor,
            brackets=self.brackets,
            stop_last_trials=self.stop_last_trials,
        )


ASHAScheduler = AsyncHyperBandScheduler
