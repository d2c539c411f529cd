"""A curve with a memory: a trial goes on from what its checkpoint holds, with whatever config."""

from __future__ import annotations

from typing import Any

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Exploit, Pause, Resume
from luthier.core.terms import TrialId
from luthier.schedulers.fifo import Fifo
from luthier.search.fixed import Fixed
from luthier.simulation.world import World


class Climb:
    """Its state is the sum of what its configs brought."""

    def advance(self, config: Any, step: int, state: Any) -> tuple[float, float]:
        height = (state or 0.0) + config["x"]
        return height, height


class Swap(Fifo):
    """Lets the second go on from where the first is, with a config of its own, when the first has made three steps."""

    def decide(self, news, experiment, rng):
        if isinstance(news, ev.Reported) and news.trial == "t_00000" and news.metrics["training_iteration"] == 3:
            return (Exploit(TrialId("t_00001"), {"x": 100.0}, experiment.trial(news.trial).checkpoint),)
        return ()


class Naps(Fifo):
    def decide(self, news, experiment, rng):
        if isinstance(news, ev.Reported) and news.seq == 1:
            return (Pause(news.trial), Resume(news.trial))
        return ()


def losses(scheduler: Any, save_every: int) -> dict[str, list[float]]:
    engine = Engine(Limits(), Fixed([{"x": 1.0}, {"x": 10.0}]), scheduler, (Goal("loss", "min"),))
    world = World(engine, Climb(), length=5, workers=2, save_every=save_every)
    world.run()
    found: dict[str, list[float]] = {}
    for event in world.log:
        if isinstance(event, ev.Reported):
            found.setdefault(event.trial, []).append(event.metrics["loss"])
    return found


def test_a_course_goes_on_with_its_state():
    assert losses(Fifo(), 1) == {"t_00000": [1, 2, 3, 4, 5], "t_00001": [10, 20, 30, 40, 50]}


def test_a_trial_that_exploits_has_the_state_of_the_other():
    assert losses(Swap(), 1)["t_00001"] == [10, 20, 103, 203]
    assert losses(Swap(), 2)["t_00001"] == [10, 20, 102, 202, 302]  # from the other's last checkpoint, of step 2


def test_a_pause_keeps_the_state():
    assert losses(Naps(), 1)["t_00001"] == [10, 20, 30, 40, 50]
