"""Listeners: they hear every batch of events once it is safe.  Callbacks and loggers are the same thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.events import Event
    from luthier.core.state import ExperimentState


class Listener(Protocol):
    """Hears what happened; cannot change it.

    What a listener writes is a view of the log and can be made anew from it.
    """

    def on_events(self, events: Sequence[Event], experiment: ExperimentState) -> None:
        """Hear one stored batch; *experiment* already shows it and must not be changed."""

    def on_tick(self, now: float) -> None:
        """Hear that time passes (unix seconds); called after each batch of work and about once a second when idle."""

    def close(self) -> None:
        """Write what is still held back; the experiment is over or interrupted."""


class Recalling(Listener, Protocol):
    """A listener that wants to hear what happened before it was there."""

    def recall(self, log: Iterable[Event]) -> None:
        """Hear the *log* so far, from its beginning; called once, before anything else."""


class Silent:
    """A listener that does nothing: a start for others.

    >>> Silent().on_events([], None)
    """

    def on_events(self, events: Sequence[Event], experiment: ExperimentState) -> None:
        """Do nothing."""

    def on_tick(self, now: float) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
