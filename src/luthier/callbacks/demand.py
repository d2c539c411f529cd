"""Tells what trials would take that wait for room, so that a cluster may grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.callbacks.base import Silent
from luthier.core import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.engine import Request
    from luthier.core.resources import Resources
    from luthier.core.state import ExperimentState

_LEAST, _MOST = 4, 64  # of those that wait are told; in between as many as run, so that a cluster may double


class DemandWatch(Silent):
    """Tells after each batch of events what waiting trials ask for, those included that are not born yet.

    Args:
        expect: is told, one request for each.
        request: what a trial asks for; where it depends on the config, the newest trial's stands for those to come.
        total: how many trials there will be, where that is known.
        at_once: how many may run at once; None for as many as fit.
    """

    def __init__(
        self, expect: Callable[[Sequence[Resources]], None], request: Request, total: int | None, at_once: int | None
    ) -> None:
        self._expect, self._request, self._total, self._at_once = expect, request, total, at_once

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Count anew, unless trials have only reported."""
        if not all(isinstance(event, ev.Reported) for event in events):
            self._expect(self.waiting(experiment))

    def waiting(self, experiment: ExperimentState) -> list[Resources]:
        """Return what is asked for in vain."""
        s = experiment
        if s.stopping:
            return []
        slots = min(max(_LEAST, s.held), _MOST)
        if self._at_once is not None:
            slots = min(slots, self._at_once - s.held)
        wanted: list[Resources] = []
        for shape, trials in s.waiting.items():
            if s.room(dict(shape)) is None:
                wanted += [dict(shape)] * len(trials)
        return (wanted + self._unborn(s, slots - len(wanted)))[: max(0, slots)]

    def _unborn(self, s: ExperimentState, slots: int) -> list[Resources]:
        """Return what trials would ask for that are to come."""
        if callable(self._request):
            newest = next(reversed(s.trials.values()), None)
            request: Resources = {"cpu": 1.0} if newest is None else newest.resources
        else:
            request = self._request
        if s.closed or s.room(request) is not None:
            return []
        left = slots if self._total is None else min(slots, self._total - len(s))
        return [request] * max(0, left)
