"""Asynchronous successive halving that pauses and promotes; Ray Tune has no such scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.tune.schedulers.trial_scheduler import TrialScheduler

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler


class ASHAPromotionScheduler(TrialScheduler):
    """Pauses trials at their milestones; the best of those that came there go on, however late they turn out to be.

    Trials must save checkpoints, or they begin anew when they go on.

    Args:
        time_attr: the reported field that counts a trial's progress; must grow.
        metric: metric to judge by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
        max_t: a trial ends when ``time_attr`` reaches this.
        grace_period: the first milestone.
        reduction_factor: one in this many goes on past each milestone, and the next one is this many times as far.

    Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020, Algorithm 2.

    >>> ASHAPromotionScheduler(metric="loss", mode="min", max_t=27, reduction_factor=3).max_t
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
    ) -> None:
        super().__init__(metric, mode)
        self.time_attr, self.max_t = time_attr, max_t
        self.grace_period, self.reduction_factor = grace_period, reduction_factor
        self._make(None)  # bad numbers are refused here, where they were written

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy.

        Raises:
            BadArgument: nobody said what to judge by.
        """
        goal = self.goal(inherited)
        if goal is None:
            raise BadArgument("metric", None, "metric and mode, in TuneConfig or in the scheduler", "ASHA needs them")
        return self._make(goal)

    def _make(self, goal: Goal | None) -> Scheduler:
        from luthier.schedulers.promotion import AshaPromotion

        return AshaPromotion(self.time_attr, goal, self.max_t, self.grace_period, self.reduction_factor)
