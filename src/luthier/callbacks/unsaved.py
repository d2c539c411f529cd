"""Notices when a trial is to go on later and has nothing to go on from."""

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


class UnsavedWatch(Silent):
    """Warns once when a trial let go in order to go on later, has reported, and never saved a checkpoint."""

    def __init__(self) -> None:
        self._over = False

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Look at the trials that were paused, or restarted in a different way."""
        if self._over:
            return
        let_go: set[str] = set()
        for event in events:
            match event:
                case ev.Exited(trial, _, Outcome.HALTED):
                    let_go.add(trial)
                case ev.Paused(trial) | ev.Requeued(trial, _, None) if trial in let_go:
                    t = experiment.trials[trial]
                    if t.metrics and not t.kept:
                        self._over = True
                        log.warning(
                            "trial %s was interrupted to go on later, and has never saved a checkpoint: it will begin "
                            "again from the start, and so will others like it. Report checkpoints "
                            "(tune.report(metrics, checkpoint=...)), or define save_checkpoint() and "
                            "load_checkpoint() in a Trainable class.",
                            t.label.name or trial,
                        )
                        return
