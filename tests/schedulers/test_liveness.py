"""Whatever happens, an experiment under a halving scheduler comes to its end, and a restart changes nothing."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status, Then, WorkerId
from luthier.schedulers.asha import Asha
from luthier.schedulers.pasha import Pasha
from luthier.schedulers.promotion import AshaPromotion
from luthier.search.fixed import Fixed
from luthier.simulation.world import World

LOSS = Goal("loss", "min")
KINDS = {
    "asha": lambda: Asha(max_t=27, reduction_factor=3),
    "asha brackets": lambda: Asha(max_t=27, reduction_factor=3, brackets=3, stop_last_trials=False),
    "promotion": lambda: AshaPromotion(max_t=27, reduction_factor=3),
    "pasha": lambda: Pasha(max_t=27, reduction_factor=3),
}
CURVES: dict[str, Any] = {
    "falling": lambda config, step: config["x"] + 1 / step,
    "all equal": lambda config, step: 0.5,
    "all NaN": lambda config, step: math.nan,
    "the worst": lambda config, step: math.inf,
    "ties": lambda config, step: round(3 * config["x"]) / 3,
    "crossing": lambda config, step: abs(math.sin(9 * config["x"] + step)),
    "some NaN": lambda config, step: math.nan if round(50 * config["x"]) % 3 == 0 else config["x"],
    "the metric is missing": lambda config, step: {"other": 1.0},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def started(kind, trials, workers, curve="falling", **world):
    configs = [{"x": (number * 7 % 23) / 23} for number in range(trials)]
    limits = Limits(num_trials=trials, seed=5, max_failures=world.pop("max_failures", 2))
    make = lambda: Engine(limits, Fixed(configs), KINDS[kind](), (LOSS,))
    return make, World(
        make(), CURVES[curve], lambda config, _: 1 + config["x"], world.pop("length", 27), workers, **world
    )


def ended(world):
    states = world.engine.experiment.trials.values()
    assert world.engine.finished and all(t.status.final for t in states)
    return Counter(t.status for t in states)


@every_kind
@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("trials", [1, 2, 3, 8, 40])
def test_it_ends_whatever_is_reported(kind, curve, trials):
    for workers in (1, 4):
        _, world = started(kind, trials, workers, curve)
        world.run(reports=5_000)
        assert sum(ended(world).values()) == trials


@every_kind
@pytest.mark.parametrize("lives", [0, 1, -1])
def test_it_ends_where_trials_fail_and_workers_are_lost(kind, lives):
    for seed in range(4):
        _, world = started(kind, 30, 4, failure_rate=0.15, loss_rate=0.05, seed=seed, max_failures=lives)
        world.run(reports=20_000)
        assert ended(world)[Status.FAILED] > 0 or lives != 0


@every_kind
def test_it_ends_where_trials_end_by_themselves_before_the_rung(kind):
    for length in (1, 2, 4):
        _, world = started(kind, 12, 3, length=length)
        world.run(reports=5_000)
        assert ended(world)[Status.DONE] >= (kind != "pasha" or length == 1)  # which pauses all at its second rung


@every_kind
def test_without_checkpoints_trials_begin_anew_and_it_still_ends(kind):
    _, world = started(kind, 20, 3, save_every=0)
    world.run(reports=20_000)
    ended(world)


@every_kind
@pytest.mark.parametrize("curve", ["falling", "crossing"])
def test_a_restart_at_any_report_changes_nothing(kind, curve):
    _, whole = started(kind, 12, 3, curve)
    whole.run(reports=5_000)
    for told in range(0, whole.reports, 3):
        make, world = started(kind, 12, 3, curve)
        world.run(reports=told)
        world.engine = Engine.replay(make, world.log)
        world.run(reports=5_000)
        assert world.log == whole.log, f"a restart after {told} results"


@every_kind
def test_late_results_count_for_nothing(kind):
    """A trial that is letting go reports on: nobody is judged by that, and nobody hangs."""
    make, _ = started(kind, 9, 1)
    engine = make()
    log = [*engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 3.0}))]  # three at a time
    late = 0
    for _ in range(2_000):
        if engine.finished:
            break
        for trial in [*engine.experiment.having(Status.RUNNING)]:
            t = engine.experiment.trials[trial]
            if t.status is not Status.RUNNING:  # by now
                continue
            step = t.metrics.get("training_iteration", 0) + 1
            if step > 27:
                log += engine.handle(ev.Exited(trial, t.attempt, Outcome.FINISHED))
            else:
                metrics = {"loss": t.config["x"], "training_iteration": step}
                log += engine.handle(ev.Reported(trial, t.attempt, t.seq + 1, metrics))
        for trial in [*engine.experiment.having(Status.HALTING)]:
            t = engine.experiment.trials[trial]
            for _ in range(2):  # far beyond the next rung, and better than all
                late += 1
                metrics = {"loss": -1.0, "training_iteration": 26}
                log += engine.handle(ev.Reported(trial, t.attempt, t.seq + 1, metrics))
            log += engine.handle(ev.Exited(trial, t.attempt, Outcome.HALTED))
    assert engine.finished and late > 4
    whys = [e.why for e in log if isinstance(e, (ev.Halted, ev.Requeued, ev.Ended)) and e.why and "value" in e.why]
    assert (whys or kind == "asha brackets") and all(why["value"] >= 0 for why in whys)


@pytest.mark.parametrize("kind", ["promotion", "pasha"])
def test_an_experiment_that_is_reopened_goes_on(kind):
    make, world = started(kind, 9, 3)
    world.run(reports=5_000)
    ended(world)
    stopped = [t.id for t in world.engine.experiment.trials.values() if t.status is Status.STOPPED]
    world.tell(ev.Reopened(12, rerun=(stopped[0],), from_scratch=True))
    world.run(reports=5_000)
    assert world.engine.finished and len(world.engine.experiment) == 9  # there are no more configs
    assert repr(Engine.replay(make, world.log).experiment) == repr(world.engine.experiment)


@pytest.mark.parametrize("kind", ["promotion", "pasha"])
def test_a_paused_trial_is_stopped_when_the_experiment_is(kind):
    _, world = started(kind, 30, 3)
    world.run(reports=20)
    assert world.engine.experiment.having(Status.PAUSED)
    world.tell(ev.StopRequested("enough"))
    world.run(reports=5_000)
    ended(world)
    assert all(e.then is Then.STOP for e in world.log[-5:] if isinstance(e, ev.Halted))
