"""Resizing: what others leave is shared out, whoever judges; nobody waits for what never comes."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, PolicyError
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Pause, Resize, Resume
from luthier.core.terms import Status, WorkerId
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.registry import create_scheduler
from luthier.schedulers.resizing import Resizing, even
from luthier.schedulers.shares import Growth, steps_in
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.testing.guards import GuardedScheduler
from luthier.testing.schedulers import SchedulerContract


class TestResizing(SchedulerContract):
    def make(self):
        return Resizing()


class TestResizingUnderAsha(SchedulerContract):
    def make(self):
        return Resizing(Asha(max_t=9, reduction_factor=3))


class TestResizingOnOneBigWorker(SchedulerContract):
    """The contract on a worker that trials can grow on."""

    def make(self):
        return Resizing()

    def _played(self, trials, workers, curve: Any = lambda c, t: c["x"] + 1 / t, **rates):
        engine = self._engine(trials)
        world = World(engine, curve, lambda c, _: 1 + c["x"], self.steps, [{"cpu": float(workers)}], **rates)
        world.run(until=0.0)
        return engine, world


class Whim:
    """Gives one size after the other, as if by whim."""

    sizes: ClassVar[list[dict[str, float]]] = [{"cpu": 1.0}, {"cpu": 0.5}, {"cpu": 1.0, "licence": 0.0}]

    def __call__(self, news, experiment, sizes):
        return self.sizes[(news.seq + experiment.trial(news.trial).number) % 3]


class TestWhim(SchedulerContract):
    def make(self):
        return Resizing(allocate=Whim(), careful=True)


def played(scheduler, *, lengths, cpus=4.0, until=float("inf"), **rates):
    limits = Limits(num_trials=len(lengths), seed=1, max_failures=1)
    configs = [{"x": float(i), "n": n} for i, n in enumerate(lengths)]
    make = lambda: Engine(limits, Fixed(configs), GuardedScheduler(scheduler()), (Goal("loss", "min"),))
    world = World(make(), lambda c, t: c["x"] + 1 / t, 1.0, lambda c: c["n"], [{"cpu": cpus}], **rates)
    world.run(until=until)
    return world, make


def sizes(world) -> dict[int, list[float]]:
    launched = [e for e in world.log if isinstance(e, ev.Launched)]
    numbers = {t.id: t.number for t in world.engine.experiment.trials.values()}
    return {
        number: [e.resources["cpu"] for e in launched if numbers[e.trial] == number]
        for number in sorted(numbers.values())
    }


def test_a_trial_grows_when_another_ends_and_never_more_is_held_than_there_is():
    world, _ = played(Resizing, lengths=[2, 4, 6, 9])
    assert world.engine.finished
    # After 2 steps the next to report gets the CPU that is left; after 4 its two go, one to each.
    assert sizes(world) == {0: [1.0], 1: [1.0, 2.0], 2: [1.0, 2.0], 3: [1.0, 2.0, 4.0]}
    [why, *_] = [e.why for e in world.log if isinstance(e, ev.Halted)]
    assert why == {"old": {"cpu": 1.0}, "new": {"cpu": 2.0}}
    steps = [e.metrics["training_iteration"] for e in world.log if isinstance(e, ev.Reported)]
    assert sorted(steps) == sorted(
        step for n in (2, 4, 6, 9) for step in range(1, n + 1)
    )  # no step is lost, none done twice


def test_two_that_report_at_once_do_not_both_take_what_is_free():
    world, _ = played(Resizing, lengths=[1, 9, 9], cpus=3.0, until=8.5)
    grown = [number for number, held in sizes(world).items() if len(held) > 1]
    assert grown == [1]  # one CPU is left over: the first to report gets it, and the other does not wait for it


def test_the_last_one_gets_everything():
    world, _ = played(Resizing, lengths=[1, 1, 1, 5])
    assert sizes(world)[3][-1] == 4.0


def test_a_judge_goes_first():
    world, _ = played(lambda: Resizing(Asha(max_t=8, reduction_factor=2)), lengths=[8] * 5, cpus=2.0)
    assert world.engine.finished
    stopped = [t for t in world.engine.experiment.trials.values() if t.status is Status.STOPPED]
    assert len(stopped) == 5
    assert max(max(held) for held in sizes(world).values()) == 2.0


class Napping(Fifo):
    def decide(self, news, experiment, rng):
        if isinstance(news, ev.Stalled):
            return [Resume(t) for t in experiment.having(Status.PAUSED)]
        return (Pause(news.trial),) if isinstance(news, ev.Reported) and news.metrics["training_iteration"] == 2 else ()


def test_what_a_judge_decides_about_a_trial_is_not_mixed_up():
    world, _ = played(lambda: Resizing(Napping()), lengths=[4, 4, 4], cpus=5.0)
    assert world.engine.finished
    paused = {e.trial for e in world.log if isinstance(e, ev.Paused)}
    assert len(paused) == 3


def test_a_restart_changes_nothing():
    whole, _ = played(Resizing, lengths=[2, 3, 5, 8, 8], failure_rate=0.1)
    for stop in range(9):
        part, make = played(Resizing, lengths=[2, 3, 5, 8, 8], failure_rate=0.1, until=stop)
        part.engine = Engine.replay(make, part.log)
        part.run()
        assert repr(part.log) == repr(whole.log), stop


def test_gpus_grow_where_trials_have_one():
    first, experiment = {"gpu": 1.0, "cpu": 1.0, "licence": 1.0}, None
    engine = Engine(Limits(num_trials=1), Fixed([{}]), Resizing(), (), first)
    engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 8.0, "gpu": 3.0, "licence": 1.0}))
    experiment = engine.experiment
    [trial] = experiment.trials
    scheduler: Any = engine.scheduler
    assert even(ev.Reported(trial, 1, 0, {}), experiment, scheduler.sizes) == {"cpu": 1.0, "gpu": 3.0, "licence": 1.0}


def test_trials_born_with_different_sizes_are_refused():
    engine = Engine(Limits(num_trials=2), Fixed([{"n": 1}, {"n": 2}]), Resizing(), (), lambda c: {"cpu": c["n"]})
    with pytest.raises(PolicyError, match="asks for something else than the first"):
        engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 8.0}))


def test_what_no_worker_has_is_an_error_and_no_endless_wait():
    with pytest.raises(PolicyError, match=r"resources=.*9.*at most what a worker has: 4 cpu") as raised:
        played(lambda: Resizing(allocate=lambda *_: {"cpu": 9.0}, careful=True), lengths=[3])
    assert isinstance(raised.value.__cause__, BadArgument)
    world, _ = played(lambda: Resizing(allocate=lambda *_: {"cpu": 9.0}), lengths=[3])
    assert sizes(world) == {0: [1.0]}


def test_bad_arguments():
    with pytest.raises(BadArgument, match="base="):
        Resizing(base="asha")  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="allocate="):
        Resizing(allocate=3)  # type: ignore[arg-type]
    assert isinstance(create_scheduler("resizing"), Resizing)


def test_late_results_get_nothing():
    scheduler = Resizing(allocate=lambda *_: {"cpu": 2.0})
    engine = Engine(Limits(num_trials=1), Fixed([{}]), scheduler, ())
    engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 2.0}))
    [trial] = engine.experiment.trials
    first = engine.handle(ev.Reported(trial, 1, 0, {"loss": 1}))
    assert [type(e).__name__ for e in first] == ["Reported", "Halted"]
    assert [type(e).__name__ for e in engine.handle(ev.Reported(trial, 1, 1, {"loss": 1}))] == ["Reported"]
    assert Resize(trial, {"cpu": 2.0}, "gets 2 cpu instead of 1 cpu").reason == first[1].reason


# -- the arithmetic ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("trials", "cpus", "base", "step"), [*itertools.product((1, 2, 3, 7), (1, 4, 9, 32), (1, 2), (1, 3))]
)
def test_a_fair_share_is_what_dealing_out_in_turn_gives(trials, cpus, base, step):
    left, hands = cpus - trials * base, [0] * trials
    for turn in itertools.count():
        if left < step:
            break
        hands[turn % trials] += 1
        left -= step
    fair = Growth({"CPU": step}).fair(trials, [{"CPU": base}], {"CPU": cpus})
    assert (fair or 0) == hands[0]


def test_steps_of_fractions_do_not_drift():
    assert steps_in({"CPU": 0.1 + 0.2}, {"CPU": 0.3}) == 1
    assert steps_in({"CPU": sum([0.1] * 10)}, {"CPU": 0.1}) == 10
    assert steps_in({"CPU": -0.5}, {"CPU": 1}) == -1
