"""Notices when a metric that was named is not reported: the one to optimise, and those to stop at."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING, Any

from luthier.callbacks.base import Silent
from luthier.core import events as ev
from luthier.core.goal import lookup
from luthier.core.terms import AUTOMATIC, Status
from luthier.tune.best import nobody_reported
from luthier.tune.flat import flattened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.state import ExperimentState

log = logging.getLogger("luthier")

_PATIENCE = 10  # reports


class MetricWatch(Silent):
    """Warns once when a trial has ended, or reported ten times, without the metric, and none other has it.

    Args:
        stop: names of metrics at which trials stop; the same goes for these.
    """

    def __init__(self, stop: Iterable[str] = ()) -> None:
        self._over = False
        self._unseen = set(stop)
        self._last: dict[str, Any] = {}

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Look at the trials that end or report."""
        if self._unseen:
            self._look_for_stops(events, experiment)
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
                elif t.metrics and (isinstance(event, ev.Ended) or t.seq >= _PATIENCE - 1):
                    self._over = True
                    log.warning(
                        "%s Nothing can be ranked or stopped early by it.",
                        nobody_reported(experiment.goals[0].metric, [t]),
                    )

    def close(self) -> None:
        """Tell what nobody has reported up to the end."""
        if self._unseen and self._last:
            self._tell_stops()

    def _look_for_stops(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        for event in events:
            if isinstance(event, ev.Reported):
                self._unseen = {name for name in self._unseen if lookup(event.metrics, name) is None}
                self._last = event.metrics
                if self._unseen and event.seq >= _PATIENCE - 1:
                    self._tell_stops()
            elif isinstance(event, ev.Ended) and event.status is Status.DONE and self._unseen and self._last:
                self._tell_stops()

    def _tell_stops(self) -> None:
        names, unseen = flattened(self._last), sorted(self._unseen)
        near = [n for name in unseen for n in difflib.get_close_matches(name, names, n=1)]
        log.warning(
            "stop=... names %s, which no trial has reported so far; reported were: %s.%s",
            ", ".join(map(repr, unseen)),
            ", ".join(sorted(names.keys() - AUTOMATIC)) or "none",
            f" Is {near[0]!r} meant?" if near else "",
        )
        self._unseen = set()
