"""Notices when the time that a scheduler goes by is not reported, or goes backwards."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING

from luthier.callbacks.base import Silent
from luthier.core import events as ev
from luthier.core.goal import lookup, number
from luthier.core.terms import AUTOMATIC
from luthier.tune.flat import flattened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.state import ExperimentState
    from luthier.core.terms import TrialId

log = logging.getLogger("luthier")


class PaceWatch(Silent):
    """Warns once when a trial's first result lacks *time_attr*, and once when it falls within an attempt.

    Args:
        time_attr: the name; None or an empty one is not looked for.
    """

    def __init__(self, time_attr: str | None) -> None:
        self._time_attr = time_attr or ""
        self._missed = self._fallen = False
        self._last: dict[TrialId, tuple[int, float]] = {}  # attempt and time of trials that run

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Look at what is reported."""
        if not self._time_attr or self._fallen:
            return
        for event in events:
            if isinstance(event, ev.Reported):
                self._look(event, experiment)
            elif isinstance(event, ev.Exited):
                self._last.pop(event.trial, None)

    def _look(self, news: ev.Reported, experiment: ExperimentState) -> None:
        now = number(lookup(news.metrics, self._time_attr))
        if now is None:
            if not self._missed and news.seq == 0 and news.attempt == 1:
                self._missed = True
                self._explain(news)
            return
        attempt, before = self._last.get(news.trial, (0, 0.0))
        if attempt == news.attempt and now < before:
            self._fallen = True
            log.warning(
                "time_attr=%r fell from %g to %g in trial %s. A scheduler needs a count that grows, such as "
                "'training_iteration' or 'time_total_s': what falls is judged late or not at all.",
                self._time_attr, before, now, experiment.trials[news.trial].label.name or news.trial,
            )  # fmt: skip
        self._last[news.trial] = news.attempt, now

    def _explain(self, news: ev.Reported) -> None:
        names = flattened(news.metrics)
        own = sorted(names.keys() - AUTOMATIC)
        near = difflib.get_close_matches(self._time_attr, names, n=1)
        log.warning(
            "time_attr=%r is no number in the first result of a trial: the scheduler does not judge results without "
            "it. Reported were: %s; and there always are 'training_iteration' and 'time_total_s'.%s",
            self._time_attr, ", ".join(own) or "none", f" Is {near[0]!r} meant?" if near else "",
        )  # fmt: skip
