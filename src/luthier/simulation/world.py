"""A simulated world: virtual time, any number of workers, and no sleeping."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

from luthier.core import events as ev
from luthier.core.errors import BadArgument
from luthier.core.rng import rng_at
from luthier.core.terms import Outcome, Ref, Then, WorkerId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.engine import Engine
    from luthier.core.resources import Resources
    from luthier.core.terms import Config, TrialId
    from luthier.simulation.curves import Course, Curve

    Cost: TypeAlias = float | Callable[[Config, int], float]
    Length: TypeAlias = int | Callable[[Config], int]


class Attempt:
    """An attempt that runs in the virtual world."""

    __slots__ = ("alive", "config", "number", "saved", "seq", "state", "step", "trial", "worker")

    def __init__(self, order: ev.Launched, step: int, state: Any) -> None:
        self.trial, self.number, self.worker, self.config = order.trial, order.attempt, order.worker, order.config
        self.step = self.saved = step
        self.state = state
        self.seq = 0
        self.alive = True


class World:
    """Carries out an engine's orders on virtual workers, in virtual time, until it is finished.

    Everything in it is a function of its arguments: failures too come from :func:`~luthier.core.rng.rng_at`.

    Args:
        engine: what decides.
        curve: ``(config, step) -> metric or metrics`` after that many steps, counted from 1; or a course, where what
            comes next depends on what the trial has been through.  Its state is in the trial's checkpoints.
        cost: virtual seconds per step, or ``(config, step) -> seconds``.
        length: steps after which a trial finishes by itself, or ``config -> steps``.
        workers: how many, or what each of them has; one cpu each where only their number is given.
        metric: what the curve's value is called where it returns a number.
        time_attr: what the step is called.
        save_every: a checkpoint goes along with every so many steps; 0 for none.
        failure_rate: probability that a step raises instead of reporting.
        loss_rate: probability that a worker is lost during a step (of one of its trials).
        downtime: virtual seconds until a lost worker joins again.
        seed: root of what goes wrong.
        keep_log: whether :attr:`log` keeps all events.

    Attributes:
        now: virtual seconds since the start.
        reports: how many results the engine was told.
        events: how many events the engine returned.
        log: those events, in their order; empty where not kept.

    >>> from luthier.core.engine import Engine
    >>> from luthier.core.limits import Limits
    >>> from luthier.schedulers.fifo import Fifo
    >>> from luthier.search.fixed import Fixed
    >>> engine = Engine(Limits(), Fixed([{"x": 1.0}, {"x": 2.0}]), Fifo())
    >>> world = World(engine, lambda config, step: config["x"] / step, length=3)
    >>> world.run()
    >>> world.now, world.reports, engine.finished
    (6.0, 6, True)
    """

    def __init__(  # noqa: PLR0913 (a world has many sides; all but the first five go by name)
        self,
        engine: Engine,
        curve: Curve | Course,
        cost: Cost = 1.0,
        length: Length = 100,
        workers: int | Sequence[Resources] = 1,
        *,
        metric: str = "loss",
        time_attr: str = "training_iteration",
        save_every: int = 1,
        failure_rate: float = 0.0,
        loss_rate: float = 0.0,
        downtime: float = 10.0,
        seed: int = 0,
        keep_log: bool = True,
    ) -> None:
        for argument, rate in (("failure_rate", failure_rate), ("loss_rate", loss_rate)):
            if not 0 <= rate <= 1:
                raise BadArgument(argument, rate, "a probability, from 0 to 1")
        if save_every < 0:
            raise BadArgument("save_every", save_every, "a number of steps, or 0 for no checkpoints")
        self.engine, self.curve, self.cost, self.length = engine, curve, cost, length
        self._advance: Callable[[Config, int, Any], tuple[Any, Any]] | None = getattr(curve, "advance", None)
        self._states: dict[Ref, Any] = {}  # of a course: what is in each checkpoint
        self.metric, self.time_attr, self.save_every = metric, time_attr, save_every
        self.failure_rate, self.loss_rate, self.downtime, self.seed = failure_rate, loss_rate, downtime, seed
        self.now, self.reports, self.events, self.keep_log = 0.0, 0, 0, keep_log
        self.log: list[ev.Event] = []
        self._agenda: list[tuple[float, int, Attempt | ev.WorkerJoined]] = []  # a heap: when, tie-breaker, what
        self._ticks = 0
        self._attempts: dict[TrialId, Attempt] = {}
        have: Sequence[Resources] = [{"cpu": 1.0}] * workers if isinstance(workers, int) else workers
        self.resources = {WorkerId(f"w{number}"): dict(has) for number, has in enumerate(have)}
        for worker, has in self.resources.items():
            self._plan(0.0, ev.WorkerJoined(worker, has))

    def run(self, until: float = inf, reports: float = inf) -> None:
        """Let time pass: until nothing more happens, virtual time *until*, or that many reports in all."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= until and self.reports < reports:
            self.now, _, what = heappop(agenda)
            if isinstance(what, ev.WorkerJoined):
                if not self.engine.finished:
                    self.tell(what)
            elif what.alive:
                self._step(what)

    def tell(self, stimulus: ev.Observed) -> None:
        """Tell the engine *stimulus* now and carry out what it orders."""
        todo = [stimulus]
        while todo:
            events = self.engine.handle(todo.pop())
            self.events += len(events)
            if self.keep_log:
                self.log.extend(events)
            for event in events:
                if isinstance(event, ev.Launched):
                    self._launch(event)
                elif isinstance(event, ev.Halted) and (halted := self._halt(event)) is not None:
                    todo.append(halted)

    def _plan(self, delay: float, what: Attempt | ev.WorkerJoined) -> None:
        self._ticks += 1
        heappush(self._agenda, (self.now + delay, self._ticks, what))

    def _plan_step(self, attempt: Attempt) -> None:
        cost = self.cost
        self._plan(cost(attempt.config, attempt.step + 1) if callable(cost) else cost, attempt)

    def _launch(self, order: ev.Launched) -> None:
        # A reference says how far the trial was: that is all the state that most virtual trials have.
        step = int(order.restore.rpartition("@")[2]) if order.restore else 0
        attempt = Attempt(order, step, self._states[order.restore] if self._advance and order.restore else None)
        self._attempts[order.trial] = attempt
        self._plan_step(attempt)

    def _halt(self, order: ev.Halted) -> ev.Exited | None:
        attempt = self._attempts.get(order.trial)
        if attempt is None or attempt.number != order.attempt:
            return None  # it has been told already
        self._end(attempt)
        goes_on = order.then is not Then.STOP and order.config is None
        checkpoint = self._save(attempt) if goes_on and self.save_every and attempt.step > attempt.saved else None
        return ev.Exited(order.trial, order.attempt, Outcome.HALTED, "", checkpoint)

    def _end(self, attempt: Attempt) -> None:
        attempt.alive = False
        del self._attempts[attempt.trial]

    def _save(self, attempt: Attempt) -> Ref:
        attempt.saved = attempt.step
        ref = Ref(f"{attempt.trial}.{attempt.number}@{attempt.step}")  # no attempt before it has saved under that name
        if self._advance:
            self._states[ref] = attempt.state
        return ref

    def _step(self, attempt: Attempt) -> None:
        if (self.failure_rate or self.loss_rate) and self._goes_wrong(attempt):
            return
        step = attempt.step = attempt.step + 1
        if self._advance:
            value, attempt.state = self._advance(attempt.config, step, attempt.state)
        else:
            value = self.curve(attempt.config, step)  # type: ignore[operator]  # a course has been seen to above
        metrics = dict(value) if isinstance(value, dict) else {self.metric: value}
        metrics[self.time_attr] = step
        checkpoint = self._save(attempt) if self.save_every and step % self.save_every == 0 else None
        self.reports += 1
        self.tell(ev.Reported(attempt.trial, attempt.number, attempt.seq, metrics, checkpoint))
        attempt.seq += 1
        if not attempt.alive:
            return
        length = self.length
        if step >= (length(attempt.config) if callable(length) else length):
            self._end(attempt)
            self.tell(ev.Exited(attempt.trial, attempt.number, Outcome.FINISHED))
        else:
            self._plan_step(attempt)

    def _goes_wrong(self, attempt: Attempt) -> bool:
        number = self.engine.experiment.trials[attempt.trial].number
        chance = rng_at(self.seed, number, attempt.number, attempt.step)
        if chance.random() < self.loss_rate:
            worker = attempt.worker
            for other in [a for a in self._attempts.values() if a.worker == worker]:
                self._end(other)
            self.tell(ev.WorkerLost(worker))
            self._plan(self.downtime, ev.WorkerJoined(worker, self.resources[worker]))
            return True
        if chance.random() < self.failure_rate:
            self._end(attempt)
            self.tell(ev.Exited(attempt.trial, attempt.number, Outcome.ERROR, f"virtual failure after {attempt.step}"))
            return True
        return False
