"""Notices that trials go on again and again, each time in a process that takes long to start."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from luthier.callbacks.base import Silent
from luthier.core import events as ev
from luthier.core.terms import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.state import ExperimentState

log = logging.getLogger("luthier")

_MANY = 10


class RestartWatch(Silent):
    """Says once that actors can be kept, when trials have let go many times in order to go on later."""

    def __init__(self) -> None:
        self._seen = 0

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Count the trials that were paused, or restarted in a different way."""
        let_go = {e.trial for e in events if isinstance(e, ev.Exited) and e.outcome is Outcome.HALTED}
        before = self._seen
        self._seen += sum(isinstance(e, ev.Paused | ev.Requeued) and e.trial in let_go for e in events)
        if before < _MANY <= self._seen:
            log.warning(
                "%d times a trial has let go in order to go on later, each time in a new actor, whose start takes "
                "most of a second: with TuneConfig(reuse_actors=True) an actor takes one trial after the other.",
                self._seen,
            )
