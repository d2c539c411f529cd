"""What was decided about one trial, read from the log: what, when, how far it was, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from luthier.core import events as ev
from luthier.core.goal import number
from luthier.core.terms import Config, Metrics, Outcome, Ref, Status, Then, TrialId, Why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from luthier.store.base import Record

_ENDS = {Status.DONE: "done", Status.STOPPED: "stopped", Status.FAILED: "failed"}


class Decided(msgspec.Struct):
    """One thing that was decided about a trial.

    Attributes:
        at: when it was stored, in unix seconds.
        metrics: what the trial had reported last.
        what: ``chosen``, ``stopped``, ``paused``, ``resumed``, ``perturbed``, ``resized``, ``tried again``, ``done`` or
            ``failed``.
        reason: why, in words.
        why: why, in names and values; empty where nobody said.
        restarts: ``training_iteration`` of the checkpoint that it goes on from, 0 for none; None where it goes nowhere.
    """

    at: float
    metrics: Metrics
    what: str
    reason: str
    why: Why
    restarts: float | None = None


def decisions(records: Iterable[Record], trial: TrialId) -> Iterator[Decided]:
    """Yield what was decided about *trial*, in the log's order.

    >>> from luthier.store.base import Record
    >>> log = [
    ...     ev.Proposed("t0", 0, {}, {"cpu": 1}),
    ...     ev.Halted("t0", 1, Then.PAUSE, "rung 1: waits", why={"rung": 1}),
    ...     ev.Requeued("t0", {}, None, {"cpu": 1}, "promoted"),
    ... ]
    >>> [(d.what, d.reason) for d in decisions([Record(0, 5.0, tuple(log))], "t0")]
    [('paused', 'rung 1: waits'), ('resumed', 'promoted')]
    """
    teller = _Teller()
    for record in records:
        for event in record.events:
            teller.note(event)
            if getattr(event, "trial", None) == trial and (told := teller.tell(event)) is not None:
                what, reason, why = told
                yield Decided(record.at, teller.metrics, what, reason, why or {}, teller.restarts(event))


class _Teller:
    """Knows what a decision about a trial changes."""

    def __init__(self) -> None:
        self.metrics: Metrics = {}
        self._config: Config = {}
        self._resources: dict[str, float] = {}
        self._error = ""
        self._order: ev.Halted | None = None
        self._came: dict[TrialId, float] = {}  # how far each trial is
        self._saved: dict[Ref, float] = {}  # how far checkpoints are

    def note(self, event: ev.Event) -> None:
        """Note how far a checkpoint is: of any trial, as another one may go on from it."""
        if isinstance(event, ev.Reported):
            come = number(event.metrics.get("training_iteration"))
            if come is not None:
                self._came[event.trial] = come
        if isinstance(event, (ev.Reported, ev.Exited)) and event.checkpoint is not None and event.trial in self._came:
            self._saved[event.checkpoint] = self._came[event.trial]

    def restarts(self, event: ev.Event) -> float | None:
        """Return from where *event* lets its trial go on; None where it does not, or nobody knows."""
        if isinstance(event, ev.Requeued):
            return 0.0 if event.restore is None else self._saved.get(event.restore)
        if isinstance(event, ev.Halted) and event.then is Then.REQUEUE and event.restore is not None:
            return self._saved.get(event.restore)
        return None

    def tell(self, event: ev.Event) -> tuple[str, str, Why | None] | None:
        match event:
            case ev.Proposed(_, _, config, resources, _, _, why):
                self._config, self._resources = config, resources
                return None if why is None else ("chosen", f"by {why.get('by')}: {why.get('because')}", why)
            case ev.Reported(_, _, _, metrics):
                self.metrics = metrics
            case ev.Exited(_, _, outcome, error):
                self._error = error if outcome in (Outcome.ERROR, Outcome.LOST) else ""
            case ev.Halted(_, _, then, reason, config, _, resources, why):
                self._order = event
                word = {Then.STOP: "stopped", Then.PAUSE: "paused"}.get(then)
                return word or self._restart(config, resources), reason, why
            case ev.Requeued(_, config, _, resources, reason, why):
                return self._requeued(config, resources, reason, why)
            case ev.Ended(_, status, reason, why):
                order, self._order = self._order, None
                known = order is not None and order.then is Then.STOP and status is Status.STOPPED
                return None if known else (_ENDS[status], reason, why)
            case _:
                pass
        return None

    def _requeued(
        self, config: Config, resources: dict[str, float], reason: str, why: Why | None
    ) -> tuple[str, str, Why | None] | None:
        word, order = self._restart(config, resources), self._order
        self._config, self._resources, self._order = config, resources, None
        if reason or why:
            return word, reason, why
        if self._error:
            return "tried again", self._error.strip().splitlines()[-1], None
        return None if order is not None else ("resumed", "", None)

    def _restart(self, config: Config | None, resources: dict[str, float] | None) -> str:
        if config is not None and config != self._config:
            return "perturbed"
        return "resized" if resources is not None and resources != self._resources else "resumed"
