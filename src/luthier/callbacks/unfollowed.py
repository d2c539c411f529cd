"""Notices when a population has nothing to hand over: trials that save no checkpoints."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from luthier.callbacks.base import Silent
from luthier.core import events as ev
from luthier.core.goal import lookup, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.state import ExperimentState

log = logging.getLogger("luthier")


class UnfollowedWatch(Silent):
    """Warns once when a trial is far enough for others to go on from it, and has never saved a checkpoint.

    Args:
        time_attr: the metric that says how far a trial is.
        due: time at which trials are looked at first.
        what: what would be done with the checkpoint, in words.
    """

    def __init__(self, time_attr: str, due: float, what: str) -> None:
        self._time_attr, self._due, self._what = time_attr, due, what
        self._over = False

    def recall(self, log: Iterable[ev.Event]) -> None:
        """Do nothing: what was warned of was warned of."""

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Look at the reports."""
        if self._over:
            return
        for event in events:
            if not isinstance(event, ev.Reported):
                continue
            now = number(lookup(event.metrics, self._time_attr))
            if now is None:
                continue
            t = experiment.trials[event.trial]
            if now >= self._due and not t.kept and not self._over:
                self._over = True
                log.warning(
                    "trial %s has come to %s=%g without saving a checkpoint: %s. Report checkpoints "
                    "(tune.report(metrics, checkpoint=...)), or define save_checkpoint() and load_checkpoint() in a "
                    "Trainable class.",
                    t.label.name or t.id, self._time_attr, now, self._what,
                )  # fmt: skip
