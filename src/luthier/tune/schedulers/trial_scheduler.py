"""What all public schedulers are: descriptions from which the Tuner builds the core's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.goal import Goal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.callbacks.base import Recalling
    from luthier.core.policy import Scheduler
    from luthier.worker.saving import SaveRule


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

    def build_for(self, inherited: Goal | None, population: int | None) -> Scheduler:
        """Return the policy, as :meth:`build` does, for *population* trials; None where their number is not known."""
        del population
        return self.build(inherited)

    # -- what it asks of the rest of an experiment ---------------------------------------------------------------------
    def furnished(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the search space with what this scheduler needs in it.

        Raises:
            BadArgument: it can do nothing with that space.
        """
        return param_space

    def check_trainable(self, trainable: Any) -> None:
        """See that this scheduler can work with *trainable*.

        Raises:
            BadArgument: it cannot.
        """

    def save_rule(self) -> SaveRule | None:
        """Return when class trainables are to save themselves for this scheduler; None for never."""
        return None

    def listeners(self, directory: str) -> Sequence[Recalling]:
        """Return who is to hear what happens in the experiment in *directory*."""
        del directory
        return ()


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
