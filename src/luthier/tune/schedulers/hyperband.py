"""HyperBand under Ray Tune's name and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.tune.schedulers.trial_scheduler import TrialScheduler

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.schedulers.hyperband import Hyperband


class HyperBandScheduler(TrialScheduler):
    """Pauses trials at milestones until their whole bracket came there; the best go on (HyperBand).

    Trials that save checkpoints go on where they were paused; others begin again.  An experiment should have enough
    trials to fill a band of brackets: with the defaults 143, of which the first 5 are never stopped early.

    Args:
        time_attr: the reported field that counts a trial's progress; must grow.
        metric: metric to judge by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
        max_t: a trial ends when ``time_attr`` reaches this (rounded down to its bracket's last milestone).
        reduction_factor: one in this many goes on past each milestone.
        stop_last_trials: whether trials end at the last milestone.

    Source: Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", JMLR 18 (2018).

    >>> HyperBandScheduler(metric="loss", mode="min", max_t=27).max_t
    27
    """

    def __init__(
        self,
        time_attr: str = "training_iteration",
        metric: str | None = None,
        mode: str | None = None,
        max_t: float = 81,
        reduction_factor: float = 3,
        stop_last_trials: bool = True,
    ) -> None:
        super().__init__(metric, mode)
        self.time_attr, self.max_t = time_attr, max_t
        self.reduction_factor, self.stop_last_trials = reduction_factor, stop_last_trials
        self._make(None)  # bad numbers are refused here, where they were written

    def build(self, inherited: Goal | None) -> Hyperband:
        """Return the policy.

        Raises:
            BadArgument: nobody said what to judge by.
        """
        goal = self.goal(inherited)
        if goal is None:
            wanted = "metric and mode, in TuneConfig or in the scheduler"
            raise BadArgument("metric", None, wanted, "HyperBand needs them")
        return self._make(goal)

    def _make(self, goal: Goal | None) -> Hyperband:
        return self._policy()(self.time_attr, goal, self.max_t, self.reduction_factor, self.stop_last_trials)

    def _policy(self) -> type[Hyperband]:
        from luthier.schedulers.hyperband import Hyperband

        return Hyperband
