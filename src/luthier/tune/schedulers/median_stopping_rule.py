"""The median stopping rule under Ray Tune's name and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.tune.schedulers.trial_scheduler import TrialScheduler

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler


class MedianStoppingRule(TrialScheduler):
    """Stops a trial whose best result is worse than the median of the other trials' running averages.

    Args:
        time_attr: the reported field that counts a trial's progress: seconds, iterations, or a count of your own.
        metric: metric to judge by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
        grace_period: no trial is judged before ``time_attr`` reaches this (60 seconds unless you say otherwise), and
            earlier results do not enter averages.
        min_samples_required: how many other trials must have come as far.
        min_time_slice: how long a trial runs before it yields its worker to trials that wait, while there are too few
            others to compare it with.
        hard_stop: False to pause what is worse; it goes on when nothing else is left to run.

    Source: Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section 3.2.2.

    >>> MedianStoppingRule("training_iteration", metric="loss", mode="min", grace_period=5).grace_period
    5
    """

    def __init__(
        self,
        time_attr: str = "time_total_s",
        metric: str | None = None,
        mode: str | None = None,
        grace_period: float = 60.0,
        min_samples_required: int = 3,
        min_time_slice: int = 0,
        hard_stop: bool = True,
    ) -> None:
        super().__init__(metric, mode)
        self.time_attr, self.grace_period = time_attr, grace_period
        self.min_samples_required, self.min_time_slice = min_samples_required, min_time_slice
        self.hard_stop = hard_stop
        self._make(None)  # bad numbers are refused here, where they were written

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy.

        Raises:
            BadArgument: nobody said what to judge by.
        """
        goal = self.goal(inherited)
        if goal is None:
            where = "metric and mode, in TuneConfig or in the scheduler"
            raise BadArgument("metric", None, where, "the median stopping rule needs them")
        return self._make(goal)

    def _make(self, goal: Goal | None) -> Scheduler:
        from luthier.schedulers.median import MedianRule

        return MedianRule(
            time_attr=self.time_attr,
            goal=goal,
            grace_period=self.grace_period,
            min_samples_required=self.min_samples_required,
            min_time_slice=self.min_time_slice,
            hard_stop=self.hard_stop,
        )
