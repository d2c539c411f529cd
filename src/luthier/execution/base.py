"""Executors: they carry out orders and observe what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.events import Observed, Order, Reported, WorkerJoined
    from luthier.core.terms import TrialId, Verdict
    from luthier.worker.assignment import Assignment


class Handler(Protocol):
    """Who takes what cannot wait for the next :meth:`Executor.poll`: inline trials report from within it."""

    def __call__(self, stimulus: Reported, /) -> None:
        """Decide, store, act, and :meth:`Executor.answer` before returning."""


class Executor(Protocol):
    """Runs trials somewhere.

    The loop calls :meth:`join` once, then :meth:`poll` and :meth:`carry_out` until the experiment is over, then
    :meth:`close`.  All calls come from one thread.

    One whose workers may grow in number may have ``expect(requests)``, too: it is told what trials ask for that wait
    for room, whenever that changes.
    """

    def join(self, handler: Handler) -> Sequence[WorkerJoined]:
        """Get ready; return the workers that there are."""

    def carry_out(self, order: Order, assignment: Assignment | None = None) -> None:
        """Do what *order* says; ``Launched`` comes with its *assignment*.  Does not wait for the trial."""

    def poll(self, timeout: float | None) -> Sequence[Observed]:
        """Wait up to *timeout* seconds (None: until something happens) and return what was observed, if anything."""

    def answer(self, trial: TrialId, attempt: int, verdict: Verdict) -> None:
        """Give the verdict to the attempt that waits for it in ``report``."""

    def give_up(self, trial: TrialId, attempt: int, reason: str) -> bool:
        """End an attempt whose time is up, without waiting for it to let go; its exit is an error that begins *reason*.

        Returns whether that was possible: not for one that has not begun, nor for one that cannot be ended from
        outside.  One that is gone already counts as ended.
        """

    def wake(self) -> None:
        """Make a waiting :meth:`poll` return soon (may be called from any thread or signal handler)."""

    def close(self, grace: float) -> None:
        """End what still runs: ask, wait up to *grace* seconds, then kill.  Nothing of it may survive."""
