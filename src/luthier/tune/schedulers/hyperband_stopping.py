"""W&B's early termination, for the Tuner and for sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.tune.schedulers.trial_scheduler import TrialScheduler

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler


class HyperBandStopping(TrialScheduler):
    """Stops trials that are behind at Hyperband's bands, as ``early_terminate`` of W&B's sweeps does.

    What counts is the number of results with the metric, not a time.

    Args:
        metric: metric to judge by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
        min_iter: the first band; each further one is *eta* times later.
        max_iter: in place of *min_iter*: bands lie at ``max_iter / eta``, ``max_iter / eta**2`` and so on.
        s: how many bands there are below *max_iter*.
        eta: the best ``1 / eta`` of all pass a band.
        strict: whether a trial is judged by its value at the band; by its best so far otherwise.

    Source: W&B's documentation of ``early_terminate``; the ``sweeps`` package.

    >>> HyperBandStopping("loss", "min", min_iter=3).build(None)
    HyperbandStopping(bands at 3, 9, 27, 81, 243, ...)
    """

    def __init__(
        self,
        metric: str | None = None,
        mode: str | None = None,
        min_iter: int | None = None,
        max_iter: int | None = None,
        s: int | None = None,
        eta: float = 3,
        strict: bool = True,
    ) -> None:
        super().__init__(metric, mode)
        self.min_iter, self.max_iter, self.s, self.eta, self.strict = min_iter, max_iter, s, eta, strict
        self._make(None)  # bad numbers are refused here, where they were written

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy.

        Raises:
            BadArgument: nobody said what to judge by.
        """
        goal = self.goal(inherited)
        if goal is None:
            where = "metric and mode, in TuneConfig or in the scheduler"
            raise BadArgument("metric", None, where, "early termination needs them")
        return self._make(goal)

    def _make(self, goal: Goal | None) -> Scheduler:
        from luthier.schedulers.hyperband_stopping import HyperbandStopping

        return HyperbandStopping(goal, self.min_iter, self.max_iter, self.s, self.eta, self.strict)
