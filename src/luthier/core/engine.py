"""The engine: a stimulus goes in, events come out.  No clock, no thread, no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

from luthier.core import events as ev
from luthier.core.errors import PolicyError
from luthier.core.explained import explained
from luthier.core.goal import Goal
from luthier.core.keep import unwanted
from luthier.core.policy import Decision, Exploit, Finish, Nothing, Pause, Resize, Resume, Scheduler, Searcher, Stop
from luthier.core.resources import fits, spelled
from luthier.core.rng import rng_at
from luthier.core.state import ExperimentState, TrialState, evolve
from luthier.core.terms import HELD, Config, Label, Outcome, Status, Then, TrialId, Verdict, WorkerId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from luthier.core.limits import Limits

    Request: TypeAlias = Mapping[str, float] | Callable[[Config], Mapping[str, float]]
    Naming: TypeAlias = Callable[[TrialId, int, Config], Label]

ASK, DECIDE = 0, 1  # streams of randomness
ENDING = "the experiment is stopping"  # why a trial ends that would have gone on
NEWS = (ev.Proposed, ev.Reported, ev.Exited, ev.Ended, ev.Stalled)
QUIET = (ev.Reported, ev.Halted, ev.Forgotten)  # they set nothing free, and nobody waits because of them
AIMS = (ev.Reported, ev.Exited, ev.Halted, ev.Requeued, ev.Ended)  # they may change what a trial would start from
LIVE = (Status.PENDING, Status.RUNNING, Status.HALTING, Status.PAUSED)


class Engine:
    """Drives one experiment.

    :meth:`handle` is the only door in.  What it returns must be stored before it is acted upon.

    Args:
        limits: how far the experiment may go.
        searcher: chooses configs.
        scheduler: judges trials.
        goals: what is to be optimised; scores come from the first.
        request: what a trial asks of a worker; a function of its config where trials differ.
        naming: gives each trial its name, folder and tag; they go into the log.

    >>> from luthier.core.limits import Limits
    >>> from luthier.schedulers.fifo import Fifo
    >>> from luthier.search.fixed import Fixed
    >>> engine = Engine(Limits(), Fixed([{"x": 1}]), Fifo())
    >>> [type(event).__name__ for event in engine.handle(ev.WorkerJoined("w0", {"cpu": 1}))]
    ['WorkerJoined', 'Proposed', 'Launched']
    """

    def __init__(
        self,
        limits: Limits,
        searcher: Searcher,
        scheduler: Scheduler,
        goals: Sequence[Goal] = (),
        request: Request | None = None,
        naming: Naming | None = None,
    ) -> None:
        self.limits, self.searcher, self.scheduler = limits, searcher, scheduler
        self.request: Request = {"cpu": 1.0} if request is None else request
        self.naming: Naming = naming or (lambda trial, _number, _config: Label(trial, trial, ""))
        keep_by = Goal(limits.keep_by, limits.keep_mode) if limits.keep_by else None
        self.experiment = ExperimentState(
            tuple(goals), keep_by, forgets=limits.keep is not None, num_trials=limits.num_trials
        )
        self._dice = rng_at(limits.seed, DECIDE)
        self._clock = 0  # events seen so far: the position of the next random choice
        self._out: list[ev.Event] = []
        self._starved = False  # the searcher said NOT_YET since something last happened
        self._full = False  # when last looked, there was no room for another
        self._put_off: list[Decision] = []  # about a trial whose exit is the news, until its fate is recorded
        self._crowded: dict[TrialId, None] = {}  # trials that may have checkpoints too many

    @classmethod
    def replay(cls, make: Callable[[], Engine], log: Iterable[ev.Event]) -> Engine:
        """Rebuild an engine from its own log; what was decided is believed, not decided again."""
        engine = make()
        for event in log:
            engine.learn(event)
        return engine

    def handle(self, stimulus: ev.Observed) -> tuple[ev.Event, ...]:
        """Return the events that follow from *stimulus*; none if it is stale or already known.

        The caller must store what is returned before acting on it.  If this raises, the engine is spoilt: throw it
        away and replay the log.

        Raises:
            PolicyError: the searcher or the scheduler raised.
        """
        self._out, self._crowded = [], {}
        match stimulus:
            case ev.Reported(trial, attempt, seq):
                if self._current(trial, attempt) and seq > self.experiment.trials[trial].seq:
                    self._record(stimulus)
            case ev.Exited(trial, attempt):
                if self._current(trial, attempt):
                    self._exit(stimulus)
            case ev.WorkerLost(worker, on_purpose):
                if worker in self.experiment.workers:
                    held = [(t.id, t.attempt) for t in self.experiment.holders(worker)]
                    outcome = Outcome.LEFT if on_purpose else Outcome.LOST
                    self._record(stimulus)
                    for trial, attempt in held:
                        self._exit(ev.Exited(trial, attempt, outcome, f"worker {worker} {outcome.value}"))
            case ev.StopRequested(reason):
                if not self.experiment.stopping:
                    self._stop_all(reason)
            case ev.Reopened():
                self._reopen(stimulus)
            case ev.WorkerJoined() | ev.Enqueued():
                self._record(stimulus)
            case never:
                assert_never(never)
        if self._out and not (self._full and all(isinstance(event, QUIET) for event in self._out)):
            self._settle()
        self._prune()
        return tuple(self._out)

    def verdict(self, trial: TrialId, attempt: int) -> Verdict:
        """Say whether this attempt may carry on; an unknown one may not."""
        t = self.experiment.trials.get(trial)
        if t is None or t.attempt != attempt:
            return Verdict.HALT
        if t.status is Status.RUNNING:
            return Verdict.CONTINUE
        goes_on = t.status is Status.HALTING and t.order is not None and t.order.then is not Then.STOP
        return Verdict.SAVE_AND_HALT if goes_on and t.order and t.order.config is None else Verdict.HALT

    def outstanding(self, worker: WorkerId) -> Iterator[ev.Launched | ev.Halted]:
        """Return the orders to deliver again to a worker that came back."""
        for t in self.experiment.holders(worker):
            yield ev.Launched(t.id, t.attempt, worker, t.config, t.resources, t.checkpoint)
            if t.order is not None:
                yield t.order

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        s = self.experiment
        if any(s.by_status[status] for status in LIVE):
            return False
        return s.stopping or (not s.enqueued and (s.exhausted or self._enough()))

    def _current(self, trial: TrialId, attempt: int) -> bool:
        t = self.experiment.trials.get(trial)
        return t is not None and t.attempt == attempt and t.status in HELD

    def _enough(self) -> bool:
        return (wanted := self.experiment.num_trials) is not None and len(self.experiment) >= wanted

    def _exit(self, event: ev.Exited) -> None:
        t = self.experiment.trials[event.trial]
        self._record(event)  # decisions about this very trial are put off: they may change what becomes of it now
        order, limits = t.order, self.limits
        if event.outcome is Outcome.FINISHED:
            self._record(ev.Ended(t.id, Status.DONE))
        elif order and order.then is Then.STOP:  # whatever it raised: it was to end, and has what it reported
            self._record(ev.Ended(t.id, Status.STOPPED, order.reason))
        elif event.outcome is Outcome.ERROR and -1 < limits.max_failures < t.failures:
            self._record(ev.Ended(t.id, Status.FAILED, event.error))
        elif t.losses > limits.max_losses:
            self._record(ev.Ended(t.id, Status.FAILED, f"lost {t.losses} times in a row without a report; {t.reason}"))
        elif order and order.then is Then.PAUSE and not self.experiment.stopping:  # nobody would resume it
            self._record(ev.Paused(t.id))
        elif self.experiment.stopping:
            self._record(ev.Ended(t.id, Status.STOPPED, ENDING))
        elif order and order.config is not None:
            self._record(ev.Requeued(t.id, order.config, order.restore, order.resources or t.resources))
        else:
            resources = order.resources if order and order.resources is not None else t.resources
            self._record(ev.Requeued(t.id, t.config, t.checkpoint, resources))
        self._heed_failure(t)
        while self._put_off:
            self._apply(self._put_off.pop(0))

    def _heed_failure(self, t: TrialState) -> None:
        if t.status is Status.FAILED and self.limits.fail_fast and not self.experiment.stopping:
            self._stop_all(f"fail_fast: trial {t.id} failed")

    def _stop_all(self, reason: str) -> None:
        self._record(ev.StopRequested(reason))
        for status in LIVE:
            for trial in list(self.experiment.by_status[status]):
                self._apply(Stop(trial, reason))

    def _reopen(self, event: ev.Reopened) -> None:
        held = [(w, t.id, t.attempt) for w in event.lost for t in self.experiment.holders(w)]
        self._record(event)
        for worker, trial, attempt in held:
            self._exit(ev.Exited(trial, attempt, Outcome.LEFT, f"worker {worker} went with its driver"))
        for trial in event.ended:
            if trial in self.experiment.trials:
                self._apply(Stop(trial, event.note or "not to go on"))
        waits = (Status.PENDING, Status.PAUSED) if event.from_scratch else ()
        for trial in dict.fromkeys(event.rerun):
            t = self.experiment.trials.get(trial)
            if t is not None and (t.status.final or t.status in waits) and not self.experiment.stopping:
                restore = None if event.from_scratch else t.checkpoint
                self._record(ev.Requeued(t.id, t.config, restore, t.resources))

    def _prune(self) -> None:
        """Let checkpoints go, now that all is said: none that any trial would start from."""
        for trial in self._crowded:
            for ref in unwanted(self.experiment.trials[trial].kept, self.limits.keep, self.experiment.pins):
                self._record(ev.Forgotten(trial, ref))

    def _apply(self, decision: Decision) -> None:  # noqa: C901, PLR0912 (one table of cases)
        if isinstance(decision, Finish):
            if not self.experiment.stopping:
                self._stop_all(decision.reason)
            return
        t = self.experiment.trials.get(decision.trial)
        if t is None:
            msg = f"{type(self.scheduler).__name__} decided {decision!r}: there is no such trial"
            raise PolicyError(msg)
        if self.experiment.stopping and not isinstance(decision, Stop):
            return  # or a paused trial would wait again after the stop has passed it by, for ever
        pausing = t.order is not None and t.order.then is Then.PAUSE
        match decision, t.status:
            case _, Status.EXITED:
                self._put_off.append(decision)
            case Stop(_, reason, why), Status.RUNNING | Status.HALTING:
                if t.order is None or t.order.then is not Then.STOP:
                    self._record(ev.Halted(t.id, t.attempt, Then.STOP, reason, why=why))
            case Stop(_, reason, why), Status.PENDING | Status.PAUSED:
                self._record(ev.Ended(t.id, Status.STOPPED, reason, why))
            case Pause(_, reason, why), Status.RUNNING:
                self._record(ev.Halted(t.id, t.attempt, Then.PAUSE, reason, why=why))
            case Resume(_, reason, why), Status.PAUSED:
                self._record(ev.Requeued(t.id, t.config, t.checkpoint, t.resources, reason, why))
            case Resume(_, reason, why), Status.HALTING if pausing:
                self._record(ev.Halted(t.id, t.attempt, Then.REQUEUE, reason or "resumed", why=why))
            case Exploit(_, config, checkpoint, reason, why), Status.RUNNING | Status.HALTING if pausing or not t.order:
                self._record(ev.Halted(t.id, t.attempt, Then.REQUEUE, reason, config, checkpoint, why=why))
            case Exploit(_, config, checkpoint, reason, why), Status.PAUSED:
                self._record(ev.Requeued(t.id, config, checkpoint, t.resources, reason, why))
            case Resize(_, resources, reason, why), Status.RUNNING:
                self._record(ev.Halted(t.id, t.attempt, Then.REQUEUE, reason, resources=resources, why=why))
            case Resize(_, resources, reason, why), Status.PAUSED:
                self._record(ev.Requeued(t.id, t.config, t.checkpoint, resources, reason, why))
            case _:
                pass  # the world has moved on

    # -- giving work to idle workers -----------------------------------------------------------------------------------
    def _settle(self) -> None:
        self._starved = self._full = False
        while True:
            while self._launch_next():
                pass
            if not self._unstick():
                return

    def _launch_next(self) -> bool:
        """Launch one trial that fits, or let one be born where none waits; say whether it did."""
        s, most = self.experiment, self.limits.max_concurrent
        if s.stopping or not s.workers:
            return False
        if most is not None and s.held >= most:
            self._full = True
            return False
        waiting = s.placeable()
        if not waiting:
            self._full = bool(s.waiting)
            return not self._full and self._propose()
        trial = self._pick(waiting)
        return trial is not None and self._launch(trial)

    def _launch(self, trial: TrialId) -> bool:
        t = self.experiment.trials.get(trial)
        worker = self.experiment.room(t.resources) if t is not None and t.status is Status.PENDING else None
        if t is None or worker is None:
            msg = f"{type(self.scheduler).__name__}.pick returned {trial!r}, which was not offered"
            raise PolicyError(msg)
        self._record(ev.Launched(trial, t.attempt + 1, worker, t.config, t.resources, t.checkpoint))
        return True

    def _unstick(self) -> bool:
        """See to it that an experiment never waits for itself; say whether anything changed."""
        s = self.experiment
        if s.held or s.stopping or s.deserted(self.request if self.limits.elastic else {}):
            return False
        if not self.limits.elastic and self._refuse_what_never_fits():
            return True
        waiting, paused = s.placeable(), s.by_status[Status.PAUSED]
        if not (waiting or paused or self._starved):
            return False
        self._record(ev.Stalled())
        self._starved = False
        if s.stopping or self._launch_next():
            return True
        if waiting := s.placeable():  # the scheduler holds back what nothing will ever set free
            return self._launch(next(iter(waiting)))
        if s.waiting:  # it fits no worker that is here: wait for another to come, or refuse it
            return not self.limits.elastic
        if paused:
            trial = next(iter(paused))  # one by one: its end is news, which may bring others back
            self._record(ev.Ended(trial, Status.STOPPED, "paused, and nothing was left that could resume it"))
            return True
        if self._starved:
            self._record(ev.SpaceExhausted("the searcher waits for results although nothing runs"))
        return False

    def _refuse_what_never_fits(self) -> bool:
        s, refused = self.experiment, False
        for trial in list(s.by_status[Status.PENDING]):
            t = s.trials[trial]
            waits = t.status is Status.PENDING  # the end of one before may have changed that
            if waits and not any(fits(t.resources, w.resources) for w in s.workers.values()):
                most = max((spelled(w.resources) for w in s.workers.values()), key=len)
                self._record(ev.Ended(trial, Status.FAILED, f"asks for {spelled(t.resources)}; there is only {most}"))
                self._heed_failure(t)
                refused = True
        return refused

    def _propose(self) -> bool:
        """Let a trial be born; say whether one was."""
        s, enqueued, why = self.experiment, bool(self.experiment.enqueued), None
        number, nobody = len(s), s.deserted(self.request if self.limits.elastic else {})  # for now
        if nobody or (not enqueued and (s.exhausted or self._enough())):
            return False
        if not callable(self.request) and s.room(self.request) is None and s.held:
            self._full = True
            return False
        if enqueued:
            config = s.enqueued[0]
        else:
            answer = self._ask(number)
            if answer is Nothing.NOT_YET:
                self._starved = True
                return False
            if isinstance(answer, Nothing):
                self._record(ev.SpaceExhausted())
                return False
            config, why = answer, explained(self.searcher, number)
        trial = TrialId(f"{self.limits.prefix}_{number:05d}")
        label = self.naming(trial, number, config)
        self._record(ev.Proposed(trial, number, config, self._asks_for(config), label, enqueued, why))
        return True

    # -- calling the policies: what they raise is theirs ---------------------------------------------------------------
    def _ask(self, number: int) -> Config | Nothing:
        try:
            return self.searcher.ask(number, rng_at(self.limits.seed, ASK, number))
        except Exception as error:
            msg = f"{type(self.searcher).__name__}.ask({number}) raised {type(error).__name__}: {error}"
            raise PolicyError(msg) from error

    def _asks_for(self, config: Config) -> dict[str, float]:
        try:
            return dict(self.request(config) if callable(self.request) else self.request)
        except Exception as error:
            msg = f"the resources function raised {type(error).__name__}: {error}"
            raise PolicyError(msg) from error

    def _pick(self, waiting: Iterable[TrialId]) -> TrialId | None:
        try:
            return self.scheduler.pick(waiting, self.experiment)
        except Exception as error:
            msg = f"{type(self.scheduler).__name__}.pick raised {type(error).__name__}: {error}"
            raise PolicyError(msg) from error

    def _record(self, event: ev.Event) -> None:
        self._out.append(event)
        if not self.experiment.forgets or not isinstance(event, AIMS):
            decisions = self.learn(event)
        else:
            t, s = self.experiment.trials[event.trial], self.experiment
            before, kept = t.starts, len(t.kept)
            decisions = self.learn(event)
            if len(t.kept) > kept:
                self._crowded[t.id] = None
            for ref in before:  # what nobody starts from any more may have stayed for that alone
                if ref not in s.pins and ref in s.owners:
                    self._crowded[s.owners[ref]] = None
        for decision in decisions:
            self._apply(decision)

    def learn(self, event: ev.Event) -> Iterable[Decision]:
        """Fold *event* into the experiment and tell the policies; used alike when living and when replaying."""
        evolve(self.experiment, event)
        self._clock += 1
        if not isinstance(event, NEWS):
            return ()
        policy: object = self.searcher
        try:
            self.searcher.tell(event, self.experiment)
            policy = self.scheduler
            return self.scheduler.decide(event, self.experiment, self._dice.split(self._clock))
        except PolicyError:  # it says itself who raised
            raise
        except Exception as error:
            msg = f"{type(policy).__name__} raised {type(error).__name__} on {type(event).__name__}: {error}"
            raise PolicyError(msg) from error
