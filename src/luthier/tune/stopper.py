"""Stoppers: they say when a trial, or the whole experiment, has had enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgumentType

if TYPE_CHECKING:
    from collections.abc import Callable


class Stopper:
    """Start for own stoppers: override ``__call__``, and ``stop_all`` to end the whole experiment.

    >>> class Enough(Stopper):
    ...     def __call__(self, trial_id, result):
    ...         return result["loss"] < 0.1
    >>> Enough()("a_00000", {"loss": 0.05})
    True
    """

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether the trial that reported *result* is to end."""
        raise NotImplementedError

    def stop_all(self) -> bool:
        """Return whether the whole experiment is to end; asked after each result."""
        return False


class NoopStopper(Stopper):
    """Never stops anything.

    >>> NoopStopper()("a_00000", {})
    False
    """

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return False."""
        return False


class FunctionStopper(Stopper):
    """Asks a function ``(trial_id, result) -> bool``.

    >>> FunctionStopper(lambda trial_id, result: result["loss"] < 1)("a_00000", {"loss": 0.5})
    True
    """

    def __init__(self, function: Callable[[str, dict[str, Any]], bool]) -> None:
        if not callable(function):
            raise BadArgumentType("function", function, "a function (trial_id, result) -> bool")
        self._function = function

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return what the function says."""
        return bool(self._function(trial_id, result))


class MaximumIterationStopper(Stopper):
    """Stops each trial after *max_iter* results.

    >>> stopper = MaximumIterationStopper(2)
    >>> [stopper("a_00000", {}) for _ in range(2)]
    [False, True]
    """

    def __init__(self, max_iter: int) -> None:
        self._max_iter = max_iter
        self._seen: dict[str, int] = {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether this is the trial's last result."""
        self._seen[trial_id] = self._seen.get(trial_id, 0) + 1
        return self._seen[trial_id] >= self._max_iter


class CombinedStopper(Stopper):
    """Stops as soon as one of several stoppers would.

    >>> CombinedStopper(NoopStopper(), MaximumIterationStopper(1))("a_00000", {})
    True
    """

    def __init__(self, *stoppers: Stopper) -> None:
        self._stoppers = stoppers

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether any says so; all are asked, as each may count."""
        return any([stopper(trial_id, result) for stopper in self._stoppers])  # noqa: C419 (all, not only up to the first)

    def stop_all(self) -> bool:
        """Return whether any says so."""
        return any(stopper.stop_all() for stopper in self._stoppers)
