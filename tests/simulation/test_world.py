"""The virtual world: time passes, things go wrong, and all of it is repeatable."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Exploit, Pause, Resume, Stop
from luthier.core.terms import Outcome, Status, TrialId, WorkerId
from luthier.schedulers.fifo import Fifo
from luthier.search.fixed import Fixed
from luthier.simulation.world import World


def engine(trials: int = 4, scheduler: Any = None, request: Any = None, **limits: Any) -> Engine:
    configs = [{"x": float(i + 1)} for i in range(trials)]
    return Engine(Limits(**limits), Fixed(configs), scheduler or Fifo(), (Goal("loss", "min"),), request)


def flat(config, step):
    return config["x"] / step


def test_time_is_virtual():
    e = engine()
    world = World(e, flat, cost=lambda config, step: config["x"] * step, length=2, workers=2)
    world.run()
    # The steps of trial x cost x and 2x: t0 ends at 3, t1 at 6; t2 runs from 3 to 12, t3 from 6 to 18.
    assert e.finished and world.now == 18.0 and world.reports == 8 and world.events == len(world.log)
    ends = [event.trial for event in world.log if isinstance(event, ev.Ended)]
    assert ends == ["t_00000", "t_00001", "t_00002", "t_00003"]


def test_it_can_be_run_bit_by_bit():
    whole, bits = (World(engine(), flat, length=3, workers=2) for _ in range(2))
    whole.run()
    bits.run(until=0.0)
    assert bits.reports == 0 and bits.engine.experiment.held == 2
    bits.run(until=2.5)
    assert bits.now == 2.0 and bits.reports == 4
    bits.run(reports=5)
    assert bits.reports == 5
    bits.run()
    assert bits.log == whole.log and bits.now == whole.now


def test_workers_may_differ_and_the_log_need_not_be_kept():
    e = engine(6, request={"gpu": 1.0})
    world = World(e, flat, length=1, workers=[{"gpu": 2.0}, {"gpu": 1.0, "cpu": 4.0}], keep_log=False)
    world.run(until=0.0)
    assert e.experiment.held == 3 and world.log == [] and world.events > 0
    world.run()
    assert world.now == 2.0


def test_curves_may_return_metrics_and_lengths_may_depend_on_the_config():
    e = engine(3)
    curve = lambda config, step: {"loss": 1.0, "step": step}
    world = World(e, curve, length=lambda config: int(config["x"]), time_attr="epoch")
    world.run()
    assert [t.metrics for t in e.experiment.trials.values()] == [
        {"loss": 1.0, "step": n, "epoch": n} for n in (1, 2, 3)
    ]


class Orders(Fifo):
    def __init__(self, *orders: Any) -> None:
        self.orders = list(orders)

    def decide(self, news, experiment, rng):
        if isinstance(news, ev.Reported) and news.seq == 1 and self.orders:
            return [self.orders.pop(0)]
        return [Resume(TrialId("t_00000"))] if isinstance(news, ev.Stalled) else ()


def launches(world: World) -> list[tuple[int, str | None]]:
    return [(e.attempt, e.restore) for e in world.log if isinstance(e, ev.Launched)]


@pytest.mark.parametrize(("save_every", "restore"), [(1, "t_00000.1@2"), (5, "t_00000.1@2"), (0, None)])
def test_a_pause_saves_and_a_resumed_trial_goes_on(save_every, restore):
    world = World(engine(1, Orders(Pause(TrialId("t_00000")))), flat, length=4, save_every=save_every)
    world.run()
    assert launches(world) == [(1, None), (2, restore)] and world.engine.finished
    steps = [e.metrics["training_iteration"] for e in world.log if isinstance(e, ev.Reported)]
    assert steps == ([1, 2, 3, 4] if restore else [1, 2, 1, 2, 3, 4])
    assert len([e for e in world.log if isinstance(e, ev.Exited) and e.checkpoint]) == (save_every == 5)


def test_a_stopped_trial_stops_at_once():
    world = World(engine(1, Orders(Stop(TrialId("t_00000")))), flat, length=9)
    world.run()
    assert world.now == 2.0 and world.engine.experiment.having(Status.STOPPED)


def test_an_exploit_starts_from_the_donor():
    world = World(engine(2, Orders(Exploit(TrialId("t_00001"), {"x": 0.0}, None))), flat, length=3, workers=2)
    world.run()
    assert launches(world) == [(1, None), (1, None), (2, None)]
    assert world.engine.experiment.trials[TrialId("t_00001")].config == {"x": 0.0}


def test_two_orders_for_one_attempt_are_one_exit():
    world = World(engine(1, Orders()), flat, length=3)
    world.run(until=0.0)
    world.engine._apply(Pause(TrialId("t_00000")))
    world.engine._out.clear()
    world.tell(ev.StopRequested("enough"))
    assert [e.outcome for e in world.log if isinstance(e, ev.Exited)] == [Outcome.HALTED] and world.engine.finished
    world.run()
    assert world.reports == 0


def test_failures_come_at_their_rate_and_are_repeatable():
    def run(seed: int) -> World:
        world = World(engine(200, max_failures=-1), flat, length=5, workers=8, failure_rate=0.1, seed=seed)
        world.run()
        return world

    one, two, other = run(1), run(1), run(2)
    assert one.log == two.log != other.log and one.engine.finished
    errors = sum(isinstance(e, ev.Exited) and e.outcome is Outcome.ERROR for e in one.log)
    assert 70 < errors < 160  # of about 1 100 steps
    assert one.engine.experiment.having(Status.DONE) == one.engine.experiment.trials.keys()


def test_lost_workers_come_back():
    e = engine(30, max_losses=50)
    world = World(e, flat, length=5, workers=[{"cpu": 2.0}] * 3, loss_rate=0.05, downtime=7.0)
    world.run()
    lost = [event.worker for event in world.log if isinstance(event, ev.WorkerLost)]
    joined = [event.worker for event in world.log if isinstance(event, ev.WorkerJoined)]
    assert e.finished and len(lost) > 3 and len(joined) >= len(lost)
    assert any(event.restore for event in world.log if isinstance(event, ev.Launched))


def test_no_worker_joins_what_is_over():
    e = engine(0, num_trials=0)
    world = World(e, flat)
    world.run()
    assert e.finished and world.log == []
    world.tell(ev.WorkerJoined(WorkerId("late"), {}))
    assert world.events == 1


@pytest.mark.parametrize("bad", [{"failure_rate": 1.5}, {"loss_rate": -0.1}, {"save_every": -1}])
def test_bad_arguments_are_named(bad):
    with pytest.raises(BadArgument, match=f"^{next(iter(bad))}="):
        World(engine(), flat, **bad)
