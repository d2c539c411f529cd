"""What all public schedulers are: descriptions from which the Tuner builds the core's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.core.goal import Goal

if TYPE_CHECKING:
    from luthier.core.policy import Scheduler


class TrialScheduler:
    """A scheduler as a user describes it.

    Args:
        metric: metric to judge by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
    """

    def __init__(self, metric: str | None = None, mode: str | None = None) -> None:
        if mode not in (None, "min", "max"):
            raise BadArgument("mode", mode, "'min' or 'max'")
        self.metric, self.mode = metric, mode

    def goal(self, inherited: Goal | None) -> Goal | None:
        """Return what to judge by: the scheduler's own words, else the Tuner's.

        Raises:
            BadArgument: both name a metric.
        """
        if self.metric is None and self.mode is None:
            return inherited
        if inherited is not None:
            name = type(self).__name__
            raise BadArgument(
                f"{name}.metric" if self.metric else f"{name}.mode",
                self.metric or self.mode,
                "metric and mode in one of the two places",
                f"TuneConfig says {inherited.metric!r}, {inherited.mode!r} already",
            )
        if self.metric is None or self.mode is None:
            given, missing = ("metric", "mode") if self.metric else ("mode", "metric")
            raise BadArgument(missing, None, f"{missing} beside {given} in {type(self).__name__}")
        return Goal(self.metric, self.mode)

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy that this describes; *inherited* is the Tuner's goal."""
        raise NotImplementedError


class FIFOScheduler(TrialScheduler):
    """First in, first out: every trial runs to its end.

    >>> FIFOScheduler().build(None).decide(None, None, None)
    ()
    """

    def __init__(self) -> None:
        super().__init__()

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy."""
        from luthier.schedulers.fifo import Fifo

        return Fifo()
