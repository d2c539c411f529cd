"""PASHA: successive halving that goes only as far as it changes who is best; Ray Tune has no such scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.tune.schedulers.trial_scheduler import TrialScheduler

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler


class PASHAScheduler(TrialScheduler):
    """Promotes as :class:`ASHAPromotionScheduler` does, but goes to longer trials only while rankings are unstable.

    It finds the best config, not the best model: train that config anew, as long as you wish.  Trials must save
    checkpoints, or they begin anew when they go on.

    Args:
        time_attr: the reported field that counts a trial's progress; must grow.
        metric: metric to judge by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
        max_t: no trial goes beyond this.
        grace_period: the first milestone.
        reduction_factor: one in this many goes on past each milestone, and the next one is this many times as far.
        noise_quantile: trials closer than this quantile of the distances that noise makes count as equal.

    Source: Bohdal et al., "PASHA: Efficient HPO and NAS with Progressive Resource Allocation", ICLR 2023.

    >>> PASHAScheduler(metric="loss", mode="min", max_t=27, reduction_factor=3).noise_quantile
    0.9
    """

    def __init__(
        self,
        time_attr: str = "training_iteration",
        metric: str | None = None,
        mode: str | None = None,
        max_t: float = 100,
        grace_period: float = 1,
        reduction_factor: float = 4,
        noise_quantile: float = 0.9,
    ) -> None:
        super().__init__(metric, mode)
        self.time_attr, self.max_t, self.grace_period = time_attr, max_t, grace_period
        self.reduction_factor, self.noise_quantile = reduction_factor, noise_quantile
        self._make(None)  # bad numbers are refused here, where they were written

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy.

        Raises:
            BadArgument: nobody said what to judge by.
        """
        goal = self.goal(inherited)
        if goal is None:
            raise BadArgument("metric", None, "metric and mode, in TuneConfig or in the scheduler", "PASHA needs them")
        return self._make(goal)

    def _make(self, goal: Goal | None) -> Scheduler:
        from luthier.schedulers.pasha import Pasha

        return Pasha(
            time_attr=self.time_attr,
            goal=goal,
            max_t=self.max_t,
            grace_period=self.grace_period,
            reduction_factor=self.reduction_factor,
            noise_quantile=self.noise_quantile,
        )
