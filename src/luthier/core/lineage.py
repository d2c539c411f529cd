"""Who went on from whom: the lineage of a population, read from a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core import events as ev
from luthier.core.goal import lookup, number
from luthier.core.terms import Config, Label, Metrics, Ref, TrialId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ITERATION = "training_iteration"
_MOST = 2.0**53  # a count beyond it is none


class Life(msgspec.Struct):
    """What a trial did with one config, between two handovers.

    Attributes:
        trial: whose it is.
        config: the config.
        start: ``training_iteration`` from which it went on; 0 for a trial's beginning.
        end: how far it came.
        parent: number of the life that it went on from, in :attr:`Lineage.lives`; None for a trial's beginning.
        handover: how it began; None for a trial's beginning.
        over: whether the trial has gone on from another one since.
        metrics: what it reported last.
    """

    trial: TrialId
    config: Config
    start: int = 0
    end: int = 0
    parent: int | None = None
    handover: Handover | None = None
    over: bool = False
    metrics: Metrics = {}


class Handover(msgspec.Struct, frozen=True):
    """A trial went on from another one's checkpoint (or from its own, with another config: then *source* is *target*).

    Attributes:
        target: the trial that went on.
        source: the trial whose checkpoint it was.
        iteration: how many results the target had reported in its life, by ``training_iteration``.
        source_iteration: how far the source was when the checkpoint was saved, by ``training_iteration``.
        restore: the checkpoint.
        source_config: the config that the source had.
        config: the config that the target goes on with.
        why: the reasons as names and values: metric, value, time, rank, old, new, operations.
        parent: the life of the source that it was, by its number.
    """

    target: TrialId
    source: TrialId
    iteration: int
    source_iteration: int
    restore: Ref | None
    source_config: Config
    config: Config
    why: dict[str, Any]
    parent: int

    @property
    def time(self) -> float:
        """When it was decided, in units of the scheduler's time attribute."""
        found = number(self.why.get("time"))
        return float(self.iteration) if found is None else found


class _Trial(msgspec.Struct):
    label: Label
    life: int  # the number of the one that it lives
    iteration: int = 0
    saved: tuple[Ref, int] | None = None  # its last checkpoint, and how far it was then
    ordered: Handover | None = None


class Lineage:
    """Folds events; :attr:`handovers` are those that took place, in their order.

    One that was decided and came to nothing (the trial was stopped, or done) is not among them.

    Attributes:
        handovers: who went on from whom.
        lives: of all trials, in the order in which they began.

    >>> from luthier.core.terms import Label, Then
    >>> log = [
    ...     ev.Proposed("t0", 0, {"lr": 1}, {}), ev.Proposed("t1", 1, {"lr": 2}, {}),
    ...     ev.Reported("t1", 1, 0, {"training_iteration": 5}, "t1/checkpoint_000000"),
    ...     ev.Halted("t0", 1, Then.REQUEUE, "", {"lr": 3}, "t1/checkpoint_000000", why={"source": "t1"}),
    ...     ev.Requeued("t0", {"lr": 3}, "t1/checkpoint_000000", {}),
    ... ]
    >>> [(h.target, h.source, h.source_iteration, h.config) for h in Lineage(log).handovers]
    [('t0', 't1', 5, {'lr': 3})]
    """

    def __init__(self, log: Iterable[ev.Event] = ()) -> None:
        self.handovers: list[Handover] = []
        self.lives: list[Life] = []
        self._trials: dict[TrialId, _Trial] = {}
        for _ in self.hear(log):
            pass

    @property
    def trials(self) -> list[TrialId]:
        """All trials, in the order in which they were proposed."""
        return list(self._trials)

    def label(self, trial: TrialId) -> Label:
        """Return what *trial* is called."""
        return self._trials[trial].label

    def root(self, life: Life) -> Life:
        """Return the trial's beginning that *life* comes from."""
        while life.parent is not None:
            life = self.lives[life.parent]
        return life

    def hear(self, events: Iterable[ev.Event]) -> Iterator[Handover]:
        """Fold *events* in; yield the handovers that they tell of, each when it has just been taken in."""
        for event in events:
            if isinstance(event, ev.Reported):
                self._report(event)
            elif isinstance(event, ev.Requeued):
                done = self._requeue(event)
                if done is not None:
                    yield done
            elif isinstance(event, ev.Proposed):
                self._trials[event.trial] = _Trial(event.label, len(self.lives))
                self.lives.append(Life(event.trial, event.config))
            elif isinstance(event, ev.Halted):
                t = self._trials[event.trial]
                t.ordered = None
                if event.config is not None:
                    t.ordered = self._handover(event.trial, event.config, event.restore, event.why)
            elif isinstance(event, ev.Exited):
                if event.checkpoint is not None:
                    t = self._trials[event.trial]
                    t.saved = (event.checkpoint, t.iteration)
            elif isinstance(event, ev.Ended):
                self._trials[event.trial].ordered = None

    def _report(self, event: ev.Reported) -> None:
        t = self._trials[event.trial]
        found = number(lookup(event.metrics, ITERATION))
        t.iteration = t.iteration + 1 if found is None or not abs(found) < _MOST else int(found)
        life = self.lives[t.life]
        life.end, life.metrics = t.iteration, event.metrics
        if event.checkpoint is not None:
            t.saved = (event.checkpoint, t.iteration)

    def _requeue(self, event: ev.Requeued) -> Handover | None:
        t = self._trials[event.trial]
        done, t.ordered = t.ordered, None
        if done is None and event.why is not None and "new" in event.why:
            done = self._handover(event.trial, event.config, event.restore, event.why)
        if done is not None:
            self.handovers.append(done)
            self.lives[t.life].over = True
            t.iteration, t.life = done.source_iteration, len(self.lives)
            at = done.source_iteration
            self.lives.append(Life(event.trial, event.config, at, at, done.parent, done))
        return done

    def _handover(self, target: TrialId, config: Config, restore: Ref | None, why: dict[str, Any] | None) -> Handover:
        t, why = self._trials[target], why or {}
        source = TrialId(why.get("source", target))
        s = self._trials.get(source, t)
        at = s.saved[1] if s.saved is not None and s.saved[0] == restore else s.iteration
        return Handover(target, source, t.iteration, at, restore, self.lives[s.life].config, config, why, s.life)
