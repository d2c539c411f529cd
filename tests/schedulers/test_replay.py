"""A schedule gone through by one trial."""

from __future__ import annotations

import pytest

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.events import Halted, Launched, Reported
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.replay import Replay
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.testing.schedulers import SchedulerContract


class TestContract(SchedulerContract):
    """The contract's trials have configs of their own: nothing is scheduled for them."""

    def make(self):
        return Replay([])


def played(schedule, length=10, save_every=1, restart=None):
    def make():
        return Engine(Limits(num_trials=1), Fixed([{"lr": 1}]), Replay(schedule), (Goal("loss", "min"),))

    world = World(make(), lambda config, step: float(config["lr"]), length=length, save_every=save_every)
    if restart is not None:
        world.run(reports=restart)
        world.engine = Engine.replay(make, world.log)
    world.run()
    assert world.engine.finished
    return world


def rates(world):
    return [e.metrics["loss"] for e in world.log if isinstance(e, Reported)]


def test_each_config_has_its_time():
    world = played([(2, {"lr": 2}), (6, {"lr": 3})])
    assert rates(world) == [1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
    why = [e.why for e in world.log if isinstance(e, Halted)]
    assert why[0] == {"time_attr": "training_iteration", "time": 2, "old": {"lr": 1}, "new": {"lr": 2}}


def test_of_changes_that_are_due_together_the_last_one_counts():
    world = played([(2, {"lr": 2}), (2, {"lr": 3}), (2.5, {"lr": 4})])
    assert rates(world) == [1, 1, 3, 4, 4, 4, 4, 4, 4, 4]


def test_it_waits_for_a_checkpoint():
    assert rates(played([(2, {"lr": 2})], save_every=4)) == [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    world = played([(2, {"lr": 2})], save_every=0)
    assert rates(world) == [1] * 10 and not any(isinstance(e, Halted) for e in world.log)


def test_a_second_change_does_not_go_back_before_the_first():
    world = played([(3, {"lr": 2}), (4, {"lr": 3})], save_every=3)
    assert rates(world) == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert [e.restore.rpartition("@")[2] for e in world.log if isinstance(e, Launched) and e.restore] == ["3", "6"]


@pytest.mark.parametrize("told", range(10))
def test_a_restart_changes_nothing(told):
    schedule = [(2, {"lr": 2}), (6, {"lr": 3})]
    assert repr(played(schedule, restart=told).log) == repr(played(schedule).log)


def test_no_schedule_is_fifo():
    assert rates(played([])) == [1] * 10
    assert isinstance(Replay([]), Fifo)


@pytest.mark.parametrize("schedule", [[(2, {}), (1, {})], [("x", {})]])
def test_bad_schedules(schedule):
    with pytest.raises(BadArgument, match="schedule="):
        Replay(schedule)
