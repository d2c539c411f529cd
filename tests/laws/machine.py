"""Anything the world may do, in any order: the state machine that the laws are checked on."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from luthier.core import events as ev
from luthier.core.engine import ASK, DECIDE, Engine
from luthier.core.errors import PolicyError
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.terms import Outcome, Ref, Status, Then, Verdict, WorkerId
from luthier.testing.guards import inside
from tests.laws.guard import Fuse, GuardedScheduler, GuardedSearcher, Raised
from tests.laws.ledger import Ledger
from tests.laws.policies import ENDLESS, SCHEDULERS, SEARCHERS, TIME

# How long to look: `LUTHIER_LAWS=long` for a thorough search, `short` for mutants.
EXAMPLES, STEPS = {"short": (12, 30), "": (50, 40), "long": (400, 60)}[os.environ.get("LUTHIER_LAWS", "")]
SHORT = os.environ.get("LUTHIER_LAWS") == "short"
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=os.environ.get("LUTHIER_LAWS", "") != "long",
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate] if SHORT else [Phase.explicit, Phase.generate, Phase.shrink],
)

ASKS: list[dict[str, float]] = [{"cpu": 1.0}, {"cpu": 2.0}, {"cpu": 0.5, "gpu": 0.5}, {"licence": 1.0}]
GOAL = Goal("loss", "min")


def by_kind(config: dict[str, Any]) -> dict[str, float]:
    return ASKS[int(config["kind"])]


REQUESTS: list[Any] = [None, {"cpu": 0.3}, {"cpu": 1.0, "gpu": 0.5}, {}, {"cpu": 0.0}, by_kind]
amounts = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0])
offers = st.fixed_dictionaries({}, optional={"cpu": amounts, "gpu": amounts, "licence": st.sampled_from([0.0, 1.0])})
index = st.integers(0, 999)
losses = st.one_of(st.floats(0, 1), st.sampled_from([float("nan"), float("inf"), 0.5]))


class Laws(RuleBasedStateMachine):
    """Two engines are told the same; one of them is now and then rebuilt from the log."""

    searcher_name = "random"
    scheduler_name = "fifo"

    @initialize(
        num_trials=st.integers(0, 9) | st.none(),
        max_concurrent=st.none() | st.integers(1, 3),
        max_failures=st.integers(-1, 2),
        max_losses=st.integers(0, 3),
        fail_fast=st.sampled_from([False, False, True]),
        elastic=st.booleans(),
        keep=st.none() | st.integers(1, 3),
        keep_by=st.none() | st.just("loss"),
        request=st.sampled_from(REQUESTS),
        seed=st.integers(0, 2**64),
        first=st.sampled_from([{}, {"cpu": 2.0}, {"cpu": 3.0, "gpu": 1.0}, {"cpu": 2.0, "gpu": 1.0, "licence": 1.0}]),
    )
    def start(self, request, first, **limits):
        if limits["num_trials"] is None and self.searcher_name in ENDLESS:
            limits["num_trials"] = 6
        self.limits = Limits(keep_mode="min", **limits)
        self.request = request
        self.fuse, twins_fuse = Fuse(), Fuse()
        self.engine, self.twin = self.make(self.fuse), self.make(twins_fuse)
        self.twins_fuse = twins_fuse
        self.ledger = Ledger(self.limits, GOAL, Goal("loss", "min") if self.limits.keep_by else None)
        self.log: list[ev.Event] = []
        self.written: list[str] = []
        self.steps: dict[str, int] = {}
        self.saves = 0
        if first or not self.limits.elastic:
            self.send(ev.WorkerJoined(WorkerId("w0"), first))

    def make(self, fuse: Fuse | None = None) -> Engine:
        fuse = fuse or Fuse()
        searcher = GuardedSearcher(SEARCHERS[self.searcher_name](), fuse)
        scheduler = GuardedScheduler(SCHEDULERS[self.scheduler_name](), fuse)
        return Engine(self.limits, searcher, scheduler, (GOAL,), self.request)

    def send(self, stimulus: ev.Observed) -> tuple[ev.Event, ...]:
        self.fuse.calls = self.twins_fuse.calls = 0
        events = self.engine.handle(stimulus)
        assert repr(events) == repr(self.twin.handle(stimulus)), "law 5: the same stimuli give the same events"
        self.log.extend(events)
        self.written.extend(map(repr, events))
        for event in events:
            self.ledger.read(event)
        return events

    # -- what the world does -------------------------------------------------------------------------------------------
    @rule(worker=st.integers(0, 3), has=offers)
    def joins(self, worker, has):
        assert self.send(ev.WorkerJoined(WorkerId(f"w{worker}"), has))

    @rule(worker=st.integers(0, 4), on_purpose=st.booleans())
    def is_lost(self, worker, on_purpose):
        known = f"w{worker}" in self.ledger.workers
        assert bool(self.send(ev.WorkerLost(WorkerId(f"w{worker}"), on_purpose))) == known
        assert not self.send(ev.WorkerLost(WorkerId(f"w{worker}"))), "law 6: stale is silent"

    def some(self, which: int):
        held = [t for t, p in self.ledger.pages.items() if p.status in (Status.RUNNING, Status.HALTING)]
        assume(held)
        return self.engine.experiment.trials[held[which % len(held)]]

    def holding(self):
        return bool(self.ledger.held())

    @precondition(holding)
    @rule(which=index, loss=losses, has=st.integers(0, 5), saves=st.booleans(), gap=st.integers(1, 3))
    def reports(self, which, loss, has, saves, gap):
        t = self.some(which)
        self.steps[t.id] = step = self.steps.get(t.id, 0) + gap
        metrics = {k: v for i, (k, v) in enumerate({"loss": loss, TIME: step}.items()) if has != i}
        report = ev.Reported(t.id, t.attempt, t.seq + gap, metrics, self.checkpoint(t.id) if saves else None)
        assert repr(self.send(report)[0]) == repr(report)
        assert self.send(report) == (), "law 6: a duplicate is silent"

    def checkpoint(self, trial: str) -> Ref:
        self.saves += 1
        return Ref(f"{trial}@{self.saves}")

    @precondition(holding)
    @rule(whiches=st.lists(st.tuples(index, st.floats(0, 1), st.booleans()), min_size=1, max_size=12))
    def time_passes(self, whiches):
        """A while in which nothing goes wrong: reports, and those who were told to let go do."""
        for which, loss, saves in whiches:
            held = [t for t, p in self.ledger.pages.items() if p.status in (Status.RUNNING, Status.HALTING)]
            if held:
                t = self.engine.experiment.trials[held[which % len(held)]]
                self.steps[t.id] = step = self.steps.get(t.id, 0) + 1
                ref = self.checkpoint(t.id) if saves else None
                if t.status is Status.HALTING:
                    self.send(ev.Exited(t.id, t.attempt, Outcome.HALTED, "", ref))
                else:
                    self.send(ev.Reported(t.id, t.attempt, t.seq + 1, {"loss": loss, TIME: step}, ref))

    @precondition(holding)
    @rule(which=index, outcome=st.sampled_from(Outcome), saves=st.booleans())
    def exits(self, which, outcome, saves):
        t = self.some(which)
        event = ev.Exited(t.id, t.attempt, outcome, "why", self.checkpoint(t.id) if saves else None)
        assert self.send(event)[0] == event
        assert self.send(event) == (), "law 6: a duplicate is silent"

    @rule(which=index, back=st.integers(1, 2), ahead=st.booleans(), outcome=st.sampled_from(Outcome))
    def zombies_are_silent(self, which, back, ahead, outcome):
        trials = list(self.ledger.pages)
        trial: Any = trials[which % len(trials)] if trials else "t_nobody"
        current = self.ledger.pages[trial].attempt if trials else 0
        attempt = current + 1 if ahead else current - back
        assert self.send(ev.Reported(trial, attempt, 10**6, {"loss": 0.0, TIME: 1})) == (), "law 6"
        assert self.send(ev.Exited(trial, attempt, outcome)) == (), "law 6"
        assert self.engine.verdict(trial, attempt) is Verdict.HALT, "law 6: attempt is a fencing token"

    @rule(x=st.floats(0, 1), kind=st.integers(0, 3))
    def is_asked_to_try(self, x, kind):
        if len(self.ledger.enqueued) < 3:
            assert self.send(ev.Enqueued({"x": x, "kind": kind}))

    @precondition(lambda self: len(self.log) > 30)
    @rule(really=st.integers(0, 2))
    def is_asked_to_stop(self, really):
        if really:
            return
        stopping = self.ledger.stopping
        assert bool(self.send(ev.StopRequested("somebody said so"))) != stopping
        assert not self.send(ev.StopRequested("twice")), "law 6"

    @precondition(lambda self: self.ledger.stopping or self.engine.finished)
    @rule(more=st.none() | st.integers(0, 3), which=st.lists(index, max_size=3), scratch=st.booleans())
    def is_opened_again(self, more, which, scratch):
        trials = [*self.ledger.pages, "t_nobody"]
        rerun: Any = tuple(dict.fromkeys(trials[i % len(trials)] for i in which))
        wanted = None if more is None else len(self.ledger.pages) + more
        ended = {t for t in rerun if t in self.ledger.pages and self.ledger.pages[t].status.final}
        events = self.send(ev.Reopened(wanted, rerun, scratch))
        assert ended <= {e.trial for e in events if isinstance(e, ev.Requeued)}, "what was named runs once more"

    @rule(
        skip=st.lists(index, max_size=2),
        which=st.lists(index, max_size=2),
        scratch=st.booleans(),
        endless=st.booleans(),
        lift=st.booleans(),
    )
    def another_driver_takes_over(self, skip, which, scratch, endless, lift):
        """All workers went with the driver of before; some trials are not to go on, some begin anew."""
        trials = [*self.ledger.pages, "t_nobody"]
        ended: Any = tuple(trials[i % len(trials)] for i in skip)
        rerun: Any = tuple(trials[i % len(trials)] for i in which)
        lost: Any = (*self.ledger.workers, "w_nobody")
        most = -1 if endless and self.searcher_name not in ENDLESS else None
        stopping = self.ledger.stopping and not lift
        losses = {t: p.losses for t, p in self.ledger.pages.items()}
        events = self.send(ev.Reopened(most, rerun, scratch, lost, ended, stopping, "another driver"))
        assert not self.ledger.workers and not self.ledger.held()
        assert all(e.outcome is Outcome.LEFT for e in events if isinstance(e, ev.Exited)), "it is nobody's fault"
        assert all(p.losses <= losses[t] for t, p in self.ledger.pages.items())
        live = {t for t in ended if t in self.ledger.pages and not self.ledger.pages[t].status.final}
        assert live <= set(rerun), "what was named does not go on"

    @rule()
    def restarts(self):
        """Law 4: a rebuilt engine is the engine, in what it knows and in what it does from now on."""
        self.fuse = Fuse()
        self.engine = Engine.replay(lambda: self.make(self.fuse), self.log)
        searcher, scheduler = self.engine.searcher, self.engine.scheduler
        assert not searcher.asked, "law 4: replay asks nobody"  # type: ignore[attr-defined]
        assert self.policies(searcher, scheduler) == self.policies(self.twin.searcher, self.twin.scheduler)
        assert repr(self.engine.experiment) == repr(self.twin.experiment)

    @staticmethod
    def policies(searcher: Any, scheduler: Any) -> str:
        return repr((inside(searcher.searcher), inside(scheduler.scheduler)))

    @rule(calls=st.integers(1, 4), worker=st.integers(0, 3), has=offers)
    def a_policy_raises(self, calls, worker, has):
        """Law 11, the engine's part: what was stored is enough to go on as if nothing had been."""
        stimulus = ev.WorkerJoined(WorkerId(f"w{worker}"), has)
        self.fuse.left = calls
        try:
            self.fuse.calls = self.twins_fuse.calls = 0
            events = self.engine.handle(stimulus)
        except PolicyError as error:
            if not isinstance(error.__cause__, Raised):
                raise
            self.restarts()
            self.send(stimulus)
        else:
            self.fuse.left = 0
            assert repr(events) == repr(self.twin.handle(stimulus)), "law 5"
            self.log.extend(events)
            self.written.extend(map(repr, events))
            for event in events:
                self.ledger.read(event)

    # -- what must hold between any two of them ------------------------------------------------------------------------
    @invariant()
    def law_04_the_state_is_what_the_log_says(self):
        if hasattr(self, "ledger"):
            self.ledger.compare(self.engine.experiment)
            assert self.engine._clock == self.twin._clock == len(self.log)

    @invariant()
    def law_06_verdicts_and_orders_follow_the_state(self):
        if not hasattr(self, "ledger"):
            return
        for t, page in self.ledger.pages.items():
            verdict = self.engine.verdict(t, page.attempt)  # type: ignore[arg-type]
            if page.status is Status.HALTING:
                assert page.order is not None
                saves = page.order.then is not Then.STOP and page.order.config is None
                assert verdict is (Verdict.SAVE_AND_HALT if saves else Verdict.HALT)
            else:
                assert (verdict is Verdict.CONTINUE) == (page.status is Status.RUNNING)
        for w in [*self.ledger.workers, "w_nobody"]:
            orders = list(self.engine.outstanding(WorkerId(w)))
            expected: list[Any] = []
            for t, page in self.ledger.pages.items():
                if page.worker == w:
                    launched = [e for e in self.log if isinstance(e, ev.Launched) and e.trial == t][-1]
                    expected.append((t, launched.attempt, page.order))
            heard = [(o.trial, o.attempt, None) for o in orders if isinstance(o, ev.Launched)]
            halts = {o.trial: o for o in orders if isinstance(o, ev.Halted)}
            assert sorted((t, a, halts.get(t)) for t, a, _ in heard) == sorted(expected, key=lambda e: e[:2])

    @invariant()
    def law_08_nobody_is_left_half_way(self):
        if hasattr(self, "ledger"):
            assert not any(page.status is Status.EXITED or page.exit for page in self.ledger.pages.values())

    @invariant()
    def law_09_no_capacity_idles_while_a_trial_that_fits_it_waits(self):
        if not hasattr(self, "ledger"):
            return
        book, limits = self.ledger, self.limits
        full = limits.max_concurrent is not None and len(book.held()) >= limits.max_concurrent
        assert not full or len(book.held()) <= max(limits.max_concurrent or 0, 0), "never more than max_concurrent"
        if book.stopping or full or not book.workers:
            return
        waiting = [page for page in book.pages.values() if page.status is Status.PENDING]
        scheduler: Any = self.twin.scheduler
        searcher: Any = self.twin.searcher
        if any(book.room(page.resources) for page in waiting):
            assert scheduler.held_back and book.held(), "law 9"
        request = {"cpu": 1.0} if self.request is None else self.request
        if not waiting and not callable(request) and book.room(request):
            wanted = book.num_trials is None or len(book.pages) < book.num_trials
            assert not book.enqueued, "law 9: what was enqueued is born where there is room for it"
            assert not wanted or book.exhausted or searcher.answer is Nothing.NOT_YET, (
                "law 9: nor while one may be born"
            )
        if not book.held():  # then nothing will happen by itself: all that is left must be hopeless for now
            asks = callable(request) or any(request.values())
            nobody = limits.elastic and asks and not any(any(has.values()) for has in book.workers.values())
            assert not [page for page in book.pages.values() if page.status is Status.PAUSED] or waiting or nobody
            assert not waiting or limits.elastic, "what fits no worker is refused where no other may come"

    @invariant()
    def finished_means_that_nothing_more_will_happen(self):
        if hasattr(self, "ledger"):
            assert self.engine.finished == self.ledger.finished()

    # -- what must hold in the end -------------------------------------------------------------------------------------
    def teardown(self):
        if not hasattr(self, "ledger"):
            return
        self.restarts()
        self.law_02_randomness_is_a_function_of_position()
        self.law_10_a_kind_world_always_finishes()
        assert self.written == [repr(event) for event in self.log], "law 12: what was said is not changed afterwards"

    def law_02_randomness_is_a_function_of_position(self):
        searcher: Any = self.twin.searcher
        scheduler: Any = self.twin.scheduler
        seed = self.limits.seed
        assert all(key == rng_at(seed, ASK, number)._key for number, key in searcher.asked)
        kinds = (ev.Proposed, ev.Reported, ev.Exited, ev.Ended, ev.Stalled)
        news = [n for n, event in enumerate(self.log, 1) if isinstance(event, kinds)]
        assert scheduler.draws == [rng_at(seed, DECIDE, n)._key for n in news]

    def law_10_a_kind_world_always_finishes(self):
        """From anywhere, if nothing more goes wrong, the experiment ends."""
        self.send(ev.WorkerJoined(WorkerId("kind"), {"cpu": 4.0, "gpu": 2.0, "licence": 1.0}))
        for _ in range(3000):
            if self.engine.finished:
                assert not self.ledger.live()
                return
            held = [t for t, p in self.ledger.pages.items() if p.status in (Status.RUNNING, Status.HALTING)]
            assert held, f"law 10: stuck with {self.ledger.live()}"
            for trial in held:
                t = self.engine.experiment.trials[trial]
                if t.status is Status.HALTING:
                    self.send(ev.Exited(t.id, t.attempt, Outcome.HALTED))
                elif t.status is Status.RUNNING:
                    self.steps[trial] = step = self.steps.get(trial, 0) + 1
                    at = (t.id, t.attempt)
                    self.send(ev.Reported(*at, t.seq + 1, {"loss": 0.5, TIME: step}, self.checkpoint(trial)))
                    if step >= 12 and t.status is Status.RUNNING and t.attempt == at[1]:
                        self.send(ev.Exited(*at, Outcome.FINISHED))
        raise AssertionError("law 10: no end")
