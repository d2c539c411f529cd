"""Notices when the metric that is to be optimised is not reported."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from luthier.callbacks.base import Silent
from luthier.core import events as ev
from luthier.tune.best import nobody_reported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.state import ExperimentState

log = logging.getLogger("luthier")


class MetricWatch(Silent):
    """Warns once when a trial has ended, or reported ten times, without the metric, and none other has it."""

    def __init__(self) -> None:
        self._over = False

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Look at the trials that end or report."""
        if self._over:
            return
        if not experiment.goals:
            self._over = True
            return
        for event in events:
            if isinstance(event, (ev.Ended, ev.Reported)):
                t = experiment.trials[event.trial]
                if t.score is not None:
                    self._over = True
                elif t.metrics and (isinstance(event, ev.Ended) or t.seq >= 9):  # noqa: PLR2004 (ten reports)
                    self._over = True
                    log.warning(
                        "%s Nothing can be ranked or stopped early by it.",
                        nobody_reported(experiment.goals[0].metric, [t]),
                    )
