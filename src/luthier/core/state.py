"""The state of an experiment, and ``evolve``: the only code that changes it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from luthier.core import events as ev
from luthier.core.errors import IllegalEvent
from luthier.core.goal import Goal
from luthier.core.keep import Kept
from luthier.core.packed import Keys, Packed, packed
from luthier.core.resources import fits, shape
from luthier.core.status import TRANSITIONS
from luthier.core.terms import Config, Label, Metrics, Outcome, Ref, Status, TrialId, Why, WorkerId, in_full

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from luthier.core.resources import Resources

Shape = tuple[tuple[str, float], ...]
_PACKED: dict[str, Any] = {}  # what a trial has in place of what it holds packed


class TrialState(msgspec.Struct):
    """One trial as its events left it.

    Of one that has ended, config and metrics are made anew each time that one asks: it holds them packed.
    """

    id: TrialId
    number: int
    _config: Config
    resources: dict[str, float]
    label: Label
    status: Status = Status.PENDING
    attempt: int = 0
    seq: int = -1
    worker: WorkerId | None = None
    _metrics: Metrics = {}
    _packed: Packed | None = None
    score: float | None = None
    checkpoint: Ref | None = None
    kept: tuple[Kept, ...] = ()
    order: ev.Halted | None = None
    failures: int = 0
    losses: int = 0
    reason: str = ""
    in_full: bool = False  # it was ended, and had all its time: as good as done

    @property
    def config(self) -> Config:
        """What it was started with last, or is to start with."""
        return self._config if self._packed is None else self._packed.config

    @config.setter
    def config(self, config: Config) -> None:
        if self._packed is not None:
            self._metrics, self._packed = self._packed.metrics, None
        self._config = config

    @property
    def metrics(self) -> Metrics:
        """What it reported last; empty before."""
        return self._metrics if self._packed is None else self._packed.metrics

    @metrics.setter
    def metrics(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def pack(self, known: dict[Keys, Keys], requests: dict[str, dict[str, float]]) -> None:
        """Take less room: *known* and *requests* are names and resources that others have, too."""
        self.resources = requests.setdefault(repr(self.resources), self.resources)
        name, folder = self.label.name, self.label.folder
        if name == folder and name is not folder:
            self.label = Label(name, name, self.label.tag)
        self._packed = packed(self.config, self.metrics, known)
        if self._packed is not None:
            self._config = self._metrics = _PACKED

    @property
    def goes_on_with(self) -> Config:
        """The config that its order names; its own where there is none."""
        return self.config if self.order is None or self.order.config is None else self.order.config

    @property
    def starts(self) -> tuple[Ref, ...]:
        """The checkpoints that it may be restored from: its last one, and the one that its order names."""
        own, given = self.checkpoint, None if self.order is None else self.order.restore
        return (() if own is None else (own,)) + (() if given is None else (given,))


class WorkerState(msgspec.Struct):
    """One worker: what it has and what of it is free."""

    id: WorkerId
    resources: dict[str, float]
    free: dict[str, float]
    held: dict[TrialId, None]

    def refresh(self, trials: dict[TrialId, TrialState]) -> None:
        """Count what is free anew, exactly: sums of fractions must not drift."""
        free = dict(self.resources)
        for held in self.held:
            for name, amount in trials[held].resources.items():
                free[name] = free.get(name, 0.0) - amount
        self.free = free

    @property
    def idle(self) -> bool:
        """Whether there is anything left to give."""
        return any(amount > 0 for amount in self.free.values()) or not self.held


class ExperimentState(msgspec.Struct):
    """A whole experiment.  ``waiting``, ``idle``, ``pins`` and ``owners`` only index what trials and workers say.

    ``pins`` counts the trials that are to start from a checkpoint, if they start again: what is in it must not go,
    whosever it is.  ``owners`` says whose a checkpoint is, of all that are kept.  Where none ever goes (*forgets* is
    False) nobody asks, and both stay empty.  What trials that have ended share is in ``names`` and ``requests``.
    ``choosers`` says who chose configs and why, from which number on, where the searcher asks one or another.
    """

    goals: tuple[Goal, ...] = ()
    keep_by: Goal | None = None
    forgets: bool = False
    trials: dict[TrialId, TrialState] = {}
    by_status: dict[Status, dict[TrialId, None]] = msgspec.field(default_factory=lambda: {s: {} for s in Status})
    waiting: dict[Shape, OrderedDict[TrialId, None]] = {}  # ordered: a plain dict is slow to pop at the front
    workers: dict[WorkerId, WorkerState] = {}
    idle: dict[WorkerId, None] = {}
    pins: dict[Ref, int] = {}
    owners: dict[Ref, TrialId] = {}
    names: dict[Keys, Keys] = {}
    requests: dict[str, dict[str, float]] = {}
    enqueued: list[Config] = []
    num_trials: int | None = None
    exhausted: bool = False
    stopping: bool = False
    choosers: list[tuple[int, Why]] = []

    def trial(self, trial: TrialId) -> TrialState:
        """Return the trial of that id (KeyError if there is none)."""
        return self.trials[trial]

    def having(self, status: Status) -> Collection[TrialId]:
        """Return the trials in *status*, in the order in which they came into it."""
        return self.by_status[status].keys()

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def closed(self) -> bool:
        """Whether no further trial is to come, as far as is known."""
        full = self.num_trials is not None and len(self.trials) >= self.num_trials
        return (self.exhausted or full) and not self.enqueued

    @property
    def held(self) -> int:
        """How many trials hold a worker."""
        return len(self.by_status[Status.RUNNING]) + len(self.by_status[Status.HALTING])

    @property
    def offers(self) -> Sequence[Resources]:
        """What each worker has, free or in use."""
        return [worker.resources for worker in self.workers.values()]

    def deserted(self, request: object) -> bool:
        """Return whether nobody is here, or nobody has anything, be it in use, though a *request* wants something."""
        if isinstance(request, dict) and not any(request.values()):
            return not self.workers
        return not any(any(worker.resources.values()) for worker in self.workers.values())

    def room(self, request: Resources) -> WorkerId | None:
        """Return a worker with *request* free, or None."""
        for worker in self.idle:
            if fits(request, self.workers[worker].free):
                return worker
        if self.workers and not any(request.values()):
            return next(iter(self.workers))
        return None

    def placeable(self) -> Collection[TrialId]:
        """Return the waiting trials that fit some worker now, first come first."""
        if not self.waiting:
            return ()
        shapes = [group for key, group in self.waiting.items() if self.room(dict(key)) is not None]
        if not shapes:
            return ()
        if len(shapes) == 1:
            return shapes[0].keys()
        fitting = set().union(*shapes)
        return [t for t in self.by_status[Status.PENDING] if t in fitting]

    def holders(self, worker: WorkerId) -> Iterator[TrialState]:
        """Return the trials that *worker* holds."""
        if worker in self.workers:
            for trial in self.workers[worker].held:
                yield self.trials[trial]


def evolve(s: ExperimentState, event: ev.Event) -> None:
    """Fold one event into the experiment."""
    match event:
        case ev.Reported() | ev.Exited() | ev.Launched() | ev.Halted() | ev.Requeued() | ev.Paused() | ev.Ended():
            _evolve_trial(s, s.trials[event.trial], event)
        case ev.Proposed(trial, number, config, resources, label, enqueued, why):
            if enqueued:
                s.enqueued.pop(0)
            if why is not None and (not s.choosers or s.choosers[-1][1].get("by") != why.get("by")):
                s.choosers.append((number, why))
            s.trials[trial] = TrialState(trial, number, config, resources, label)
            s.by_status[Status.PENDING][trial] = None
            s.waiting.setdefault(shape(resources), OrderedDict())[trial] = None
        case ev.WorkerJoined(worker, resources):
            w = s.workers.setdefault(worker, WorkerState(worker, {}, {}, {}))
            w.resources = resources
            _recount(s, w)
        case ev.WorkerLost(worker):
            s.workers.pop(worker, None)
            s.idle.pop(worker, None)
        case ev.Forgotten(trial, checkpoint):
            t = s.trials[trial]
            t.kept = tuple(k for k in t.kept if k.ref != checkpoint)
            s.owners.pop(checkpoint, None)
        case ev.SpaceExhausted():
            s.exhausted = True
        case ev.StopRequested():
            s.stopping = True
        case ev.Enqueued(config):
            s.enqueued.append(config)
        case ev.Reopened(num_trials):
            s.stopping, s.exhausted = event.stopping, False
            if num_trials is not None:
                s.num_trials = None if num_trials < 0 else num_trials
            for worker in event.lost:
                s.workers.pop(worker, None)
                s.idle.pop(worker, None)
        case ev.Stalled():
            pass
        case never:
            assert_never(never)


def _evolve_trial(
    s: ExperimentState,
    t: TrialState,
    event: ev.Reported | ev.Exited | ev.Launched | ev.Halted | ev.Requeued | ev.Paused | ev.Ended,
) -> None:
    to = TRANSITIONS.get((t.status, type(event)))
    if to is None:
        msg = f"{event!r} cannot happen to a trial that is {t.status.value}"
        raise IllegalEvent(msg)
    match event:
        case ev.Reported(_, _, seq, metrics, checkpoint):
            t.seq, t.metrics, t.losses = seq, metrics, 0
            if s.goals:
                score = s.goals[0].score(metrics)
                t.score = t.score if score is None else score
            if checkpoint is not None:
                _keep(s, t, checkpoint)
        case ev.Launched(_, attempt, worker, config):
            t.attempt, t.seq, t.worker, t.config = attempt, -1, worker, config
            s.workers[worker].held[t.id] = None
            _recount(s, s.workers[worker])
        case ev.Halted():
            _aim(s, t, t.checkpoint, event)
        case ev.Exited(_, _, outcome, error, checkpoint):
            t.failures += outcome is Outcome.ERROR
            t.losses += outcome is Outcome.LOST or (outcome is Outcome.HALTED and t.order is None)
            t.reason = error
            if checkpoint is not None:
                _keep(s, t, checkpoint)
            if t.worker in s.workers:
                del s.workers[t.worker].held[t.id]
                _recount(s, s.workers[t.worker])
            t.worker = None
        case ev.Requeued(_, config, restore, resources):
            if t.status.final:  # a rerun has its lives back
                t.failures = t.losses = 0
            t.config, t.resources, t.in_full = config, resources, False
            _aim(s, t, restore, None)
        case ev.Ended(_, status, reason, why):
            to = status
            t.in_full = status is Status.STOPPED and in_full(why if t.order is None else t.order.why)
            t.reason = reason or t.reason
            _aim(s, t, t.checkpoint, None)
            t.pack(s.names, s.requests)
        case ev.Paused():
            pass
        case never:
            assert_never(never)
    if to is not t.status:
        _move(s, t, to)


def _move(s: ExperimentState, t: TrialState, to: Status) -> None:
    del s.by_status[t.status][t.id]
    s.by_status[to][t.id] = None
    if Status.PENDING in (t.status, to):
        key = shape(t.resources)
        if to is Status.PENDING:
            s.waiting.setdefault(key, OrderedDict())[t.id] = None
        else:
            del s.waiting[key][t.id]
            if not s.waiting[key]:
                del s.waiting[key]
    t.status = to


def _keep(s: ExperimentState, t: TrialState, checkpoint: Ref) -> None:
    rank = None
    if s.keep_by is not None:
        score = s.keep_by.score(t.metrics)
        rank = None if score is None else -score
    t.kept = (*t.kept, Kept(checkpoint, rank))
    if s.forgets:
        s.owners[checkpoint] = t.id
    _aim(s, t, checkpoint, t.order)


def _aim(s: ExperimentState, t: TrialState, checkpoint: Ref | None, order: ev.Halted | None) -> None:
    """Let a trial start from *checkpoint*, if again, or from what *order* says; keep count of both."""
    if not s.forgets:
        t.checkpoint, t.order = checkpoint, order
        return
    before = t.starts
    t.checkpoint, t.order = checkpoint, order
    for ref in t.starts:
        s.pins[ref] = s.pins.get(ref, 0) + 1
    for ref in before:
        s.pins[ref] -= 1
        if not s.pins[ref]:
            del s.pins[ref]


def _recount(s: ExperimentState, w: WorkerState) -> None:
    w.refresh(s.trials)
    if w.idle:
        s.idle[w.id] = None
    else:
        s.idle.pop(w.id, None)
