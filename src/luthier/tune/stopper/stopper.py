"""What all stoppers are, and several of them as one."""

from __future__ import annotations

from typing import Any

from luthier.core.errors import BadArgumentType


class Stopper:
    """Start for own stoppers: override ``__call__``, and ``stop_all`` to end the whole experiment.

    A stopper is asked in the driver, at each result, in the order in which results come in.  It may keep what it likes:
    when an experiment is taken up again, a fresh copy is asked about all results of before, in the same order, and its
    answers are dropped; so it knows what it knew.  What it takes from elsewhere (a clock, a file) is not repeated; for
    time there is :class:`~luthier.tune.stopper.TimeoutStopper`.

    Attributes:
        reason: why it said yes, in words, for logs and tables; empty for "it said so".

    >>> class Enough(Stopper):
    ...     def __call__(self, trial_id, result):
    ...         return result["loss"] < 0.1
    >>> Enough()("a_00000", {"loss": 0.05})
    True
    """

    reason: str = ""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether the trial that reported *result* is to end."""
        raise NotImplementedError

    def stop_all(self) -> bool:
        """Return whether the whole experiment is to end; asked after each result."""
        return False


class CombinedStopper(Stopper):
    """Stops as soon as one of several stoppers would; all are asked about each result.

    Raises:
        BadArgumentType: one is no stopper.

    >>> from luthier.tune.stopper import MaximumIterationStopper, NoopStopper
    >>> CombinedStopper(NoopStopper(), MaximumIterationStopper(1))("a_00000", {})
    True
    """

    def __init__(self, *stoppers: Stopper) -> None:
        for number, stopper in enumerate(stoppers):
            if not isinstance(stopper, Stopper):
                raise BadArgumentType(f"stoppers[{number}]", stopper, "a Stopper (FunctionStopper(f) makes one of f)")
        self.stoppers = stoppers

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether any says so."""
        return self._any([stopper for stopper in self.stoppers if stopper(trial_id, result)])

    def stop_all(self) -> bool:
        """Return whether any says so."""
        return self._any([stopper for stopper in self.stoppers if stopper.stop_all()])

    def _any(self, agreeing: list[Stopper]) -> bool:
        self.reason = "; ".join(s.reason or f"{type(s).__name__} said so" for s in agreeing)
        return bool(agreeing)
