"""The twelve laws: each by its name, and all of them together over every pair of policies."""

from __future__ import annotations

import itertools
import os
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from luthier.control.controller import Controller
from luthier.core import events as ev
from luthier.core.engine import ASK, Engine
from luthier.core.errors import PolicyError, StoreFailed
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.terms import Status, Verdict, WorkerId
from luthier.schedulers.fifo import Fifo
from luthier.simulation.world import World
from luthier.store.memory import MemoryStore
from tests.laws.guard import Fuse, GuardedScheduler, GuardedSearcher, Raised
from tests.laws.ledger import Ledger
from tests.laws.machine import EXAMPLES, SETTINGS, Laws
from tests.laws.policies import ENDLESS, SCHEDULERS, SEARCHERS

# `make laws` and `make mutants` take every pair; else each scheduler has two searchers, each searcher many schedulers.
WHOLE = bool(os.environ.get("LUTHIER_LAWS"))
PAIRS = [
    (searcher, scheduler)
    for (k, scheduler), (n, searcher) in itertools.product(enumerate(SCHEDULERS), enumerate(SEARCHERS))
    if WHOLE or n in (k % len(SEARCHERS), (k + 1 + k // len(SEARCHERS)) % len(SEARCHERS))
]
COSTLY = {"pb2": 4}  # fits a model at each perturbation: so many times fewer examples
every_pair = pytest.mark.parametrize(("searcher", "scheduler"), PAIRS, ids=["+".join(pair) for pair in PAIRS])
LIMITS = Limits(num_trials=12, max_failures=1, max_losses=5, keep=2, keep_by="loss", keep_mode="min", seed=5)
GOAL = Goal("loss", "min")
RESOURCES = {"cpu": 2.0, "gpu": 1.0}


def curve(config, step):
    return abs(config["x"] - 0.3) + 1 / step


def make(searcher: str, scheduler: str, limits: Limits = LIMITS, fuse: Fuse | None = None) -> Engine:
    fuse = fuse or Fuse()
    searches, schedules = SEARCHERS[searcher](), SCHEDULERS[scheduler]()
    return Engine(limits, GuardedSearcher(searches, fuse), GuardedScheduler(schedules, fuse), (GOAL,))


def rough(engine: Any, **world: Any) -> World:
    """Return a world in which things go wrong."""
    cost = lambda config, step: 1 + config["x"]
    return World(engine, curve, cost, 9, [RESOURCES] * 3, failure_rate=0.05, loss_rate=0.03, **world)


@every_pair
def test_all_laws_hold_whatever_the_world_does(searcher, scheduler):
    machine = type("Laws", (Laws,), {"searcher_name": searcher, "scheduler_name": scheduler})
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=EXAMPLES // COSTLY.get(scheduler, 1)))


@pytest.mark.parametrize("searcher", SEARCHERS)
@pytest.mark.parametrize("told", [0, 1, 3, 10, 40])
def test_law_01_ask_is_pure(searcher, told):
    engine = make(searcher, "fifo")  # the guard asks twice and compares, on the way there too
    rough(engine).run(reports=told)
    number = len(engine.experiment)
    answers = [engine.searcher.ask(number, rng_at(9, number)) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("searcher", ["fixed", "variants", "random"])
def test_law_02_randomness_is_a_function_of_position(searcher):
    found = set()
    for workers, restart in ((1, 0), (3, 7), (16, 3)):
        engine = make(searcher, "chaos", Limits(num_trials=7, seed=2**63 + 5))
        world = World(engine, curve, length=4, workers=workers)
        world.run(reports=restart)
        engine = Engine.replay(lambda: make(searcher, "fifo", Limits(num_trials=7, seed=2**63 + 5)), world.log)
        world.engine = engine
        world.run()
        configs = [(e.number, repr(e.config)) for e in world.log if isinstance(e, ev.Proposed)]
        found.add(tuple(configs[:2]))  # chaos may end the experiment early, but not change what is proposed
        asked = SEARCHERS[searcher]()
        assert all(repr(asked.ask(n, rng_at(2**63 + 5, ASK, n))) == config for n, config in configs)
    assert len(found) == 1


class Slip(MemoryStore):
    """A log that cannot be written at times."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    def append(self, events, after):
        if self.broken:
            raise StoreFailed("no room")
        return super().append(events, after)

    @property
    def events(self) -> list[ev.Event]:
        return [event for record in self.read() for event in record.events]


def test_law_03_store_before_act():
    store = Slip()
    controller = Controller(store, lambda: make("random", "asha"))

    class Acts(World):
        def tell(self, stimulus):
            super().tell(stimulus)
            assert repr(store.events) == repr(self.log), "what is acted upon is in the log"

        def _launch(self, order):
            assert order in store.events, "law 3: stored before it is carried out"
            super()._launch(order)

    world = Acts(controller, curve, length=3, workers=2)  # type: ignore[arg-type]
    world.run(reports=8)
    before, state = repr(store.events), repr(controller.experiment)
    store.broken = True
    with pytest.raises(StoreFailed):
        controller.handle(ev.WorkerJoined(WorkerId("w9"), RESOURCES))
    assert (repr(store.events), repr(controller.experiment)) == (before, state), "what is not stored did not happen"
    store.broken = False
    world.run()
    assert controller.finished
    # Whoever dies between storing and acting finds the orders again.
    controller = Controller(store := Slip(), lambda: make("random", "fifo"))
    orders = [e for e in controller.handle(ev.WorkerJoined(WorkerId("w"), RESOURCES)) if isinstance(e, ev.Launched)]
    again = Controller(store, lambda: make("random", "fifo"))
    assert list(again.engine.outstanding(WorkerId("w"))) == orders != []


def test_law_03_two_controllers_share_one_log():
    store = Slip()
    one, two = (Controller(store, lambda: make("random", "asha")) for _ in range(2))
    one.handle(ev.WorkerJoined(WorkerId("w1"), RESOURCES))
    two.handle(ev.WorkerJoined(WorkerId("w2"), RESOURCES))  # a conflict: it reads the log and decides on top of it
    one.handle(ev.WorkerLost(WorkerId("w1")))
    ledger = Ledger(LIMITS, GOAL, GOAL)
    for event in store.events:
        ledger.read(event)
    ledger.compare(one.experiment)
    assert set(one.experiment.workers) == {"w2"}


@every_pair
def test_law_04_believe_the_log(searcher, scheduler):
    world = rough(make(searcher, scheduler))
    world.run(reports=60)

    class Deaf(Fifo):
        """A scheduler of another mind, and one that may not be asked."""

        def decide(self, news, experiment, rng):
            return NotImplemented

        def pick(self, waiting, experiment):
            raise AssertionError("law 4: replay decides nothing")

    class Mute:
        def ask(self, number, rng):
            raise AssertionError("law 4: replay asks nobody")

        def tell(self, news, experiment):
            pass

    again = Engine.replay(lambda: Engine(LIMITS, Mute(), Deaf(), (GOAL,)), world.log)
    assert repr(again.experiment) == repr(world.engine.experiment)


@every_pair
def test_law_05_same_stimuli_same_events(searcher, scheduler):
    one, two = (rough(make(searcher, scheduler)) for _ in range(2))
    one.run(reports=150)
    two.run(reports=150)
    assert repr(one.log) == repr(two.log)


@every_pair
def test_law_06_stale_is_silent(searcher, scheduler):
    engine = make(searcher, scheduler)
    heard: list[Any] = []

    class Echo(World):
        def tell(self, stimulus):
            super().tell(stimulus)
            heard.append(stimulus)

    world = Echo(engine, curve, length=4, workers=3, failure_rate=0.1)
    world.run(reports=60)
    before = repr(engine.experiment)
    for stimulus in heard:
        if isinstance(stimulus, (ev.Reported, ev.Exited)):
            assert engine.handle(stimulus) == ()
            t = engine.experiment.trials[stimulus.trial]
            if stimulus.attempt < t.attempt:
                assert engine.verdict(stimulus.trial, stimulus.attempt) is Verdict.HALT
    assert repr(engine.experiment) == before


@every_pair
def test_law_07_orders_are_obeyed(searcher, scheduler):
    ledger, world = Ledger(LIMITS, GOAL, GOAL), rough(make(searcher, scheduler))
    world.run(reports=150)
    for event in world.log:
        ledger.read(event)  # it objects to an exit that does not bring what was ordered
    ledger.compare(world.engine.experiment)


@every_pair
def test_law_08_nobody_is_left_half_way(searcher, scheduler):
    engine = make(searcher, scheduler)
    world = rough(engine)
    for reports in range(60):
        world.run(reports=reports)
        assert not engine.experiment.having(Status.EXITED)


@pytest.mark.parametrize("searcher", SEARCHERS)
# Those that hold nobody back:
@pytest.mark.parametrize("scheduler", ["fifo", "asha", "promotion", "pasha", "median", "resizer", "pbt", "halving"])
def test_law_09_no_capacity_idles_while_a_trial_that_fits_it_waits(searcher, scheduler):
    engine = make(searcher, scheduler)
    world = rough(engine)
    for reports in range(60):
        world.run(reports=reports)
        assert engine.experiment.stopping or not list(engine.experiment.placeable())


@every_pair
@pytest.mark.parametrize("trials", [1, 2, 5, 6, 7, 30])
def test_law_10_a_kind_world_always_finishes(searcher, scheduler, trials):
    for workers in (1, 5):
        engine = make(searcher, scheduler, Limits(num_trials=trials, seed=trials))
        world = World(engine, curve, length=9, workers=[RESOURCES] * workers)
        world.run(reports=2000)
        assert engine.finished and not engine.experiment.held
        if scheduler not in ("chaos", "finisher"):  # they may end the experiment themselves
            born = len(engine.experiment)
            assert born == trials or (engine.experiment.exhausted and searcher not in ENDLESS)
            # Halving stops at its own max_t of 8, as far as it lets anybody go.
            # Pasha goes no further than its second rung while rankings are stable.
            most = max(e.metrics["training_iteration"] for e in world.log if isinstance(e, ev.Reported))
            assert most >= (2 if scheduler == "pasha" else 8), "somebody reaches the end"


@pytest.mark.parametrize("scheduler", ["fifo", "asha", "promotion", "halving", "pbt", "chaos"])
@pytest.mark.parametrize("searcher", ["evolution", "shy"])
def test_law_11_a_policy_that_raises_breaks_nothing(searcher, scheduler):
    def world(fuse: Fuse) -> World:
        controller: Any = Controller(MemoryStore(), lambda: make(searcher, scheduler, fuse=fuse))
        return rough(controller)

    undisturbed = world(Fuse())
    undisturbed.run(reports=40)
    for calls in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
        fuse = Fuse()
        disturbed = world(fuse)
        disturbed.run(until=0.5)
        fuse.left = calls  # it raises once, somewhere; the controller goes back to the log and tries again
        disturbed.run(reports=40)
        assert repr(disturbed.log) == repr(undisturbed.log)


def test_law_11_a_policy_that_raises_again_ends_it():
    class Always(Fifo):
        asked = 0

        def decide(self, news, experiment, rng):
            if isinstance(news, ev.Reported):
                Always.asked += 1
                raise Raised("always")
            return ()

    store = MemoryStore()
    searcher = SEARCHERS["random"]
    controller = Controller(store, lambda: Engine(LIMITS, searcher(), Always(), (GOAL,)))
    controller.handle(ev.WorkerJoined(WorkerId("w"), RESOURCES))
    before = [record.events for record in store.read()]
    (trial,) = (t for t in list(controller.experiment.trials.values())[:1])
    with pytest.raises(PolicyError, match="Always raised Raised on Reported: always") as caught:
        controller.handle(ev.Reported(trial.id, 1, 0, {"loss": 1.0}))
    assert isinstance(caught.value.__cause__, Raised) and Always.asked == 2, "it is tried again once, and never loops"
    assert [record.events for record in store.read()] == before
    assert controller.handle(ev.WorkerJoined(WorkerId("w"), RESOURCES)), "the controller is as it was"


@every_pair
def test_law_12_views_are_not_written(searcher, scheduler):
    world = rough(make(searcher, scheduler))  # the guard hands out views that raise when they are written
    said: list[str] = []
    for reports in range(0, 60, 5):
        world.run(reports=reports)
        said += [repr(event) for event in world.log[len(said) :]]
    assert said == [repr(event) for event in world.log], "nor is an event changed after it was said"
