"""Each config several times; the searcher hears of the mean."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.space import Float, Space
from luthier.core.terms import Status
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.search.fixed import Fixed
from luthier.search.given import Given
from luthier.search.limit import Limit
from luthier.search.repeat import TRIAL_INDEX, Repeat
from luthier.search.tpe import Tpe
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract

SPACE = Space({"x": Float(0, 1)})
LOSS = (Goal("loss", "min"),)


class Heard(Tpe):
    """Keeps what it is told of ends."""

    def __init__(self, **more):
        super().__init__(SPACE, startup=2, **more)
        self.heard: list[tuple[int, Status, object, float | None]] = []

    def tell(self, news, experiment):
        super().tell(news, experiment)
        if isinstance(news, ev.Ended):
            trial = experiment.trial(news.trial)
            self.heard.append((trial.number, trial.status, trial.metrics.get("loss"), trial.score))


class TestRepeats(SearcherContract):
    def make(self):
        return Repeat(Tpe(SPACE, startup=3), 3, seed=11)


class TestOnce(SearcherContract):
    space = SPACE

    def make(self):
        return Repeat(Tpe(SPACE, startup=3), 1, set_index=False, seed=11)


class TestLimitedInside(SearcherContract):
    def make(self):
        return Repeat(Limit(Tpe(SPACE, startup=3), 2), 2, seed=11)


class TestFewConfigs(SearcherContract):
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})  # no chance in it

    def make(self):
        return Repeat(Fixed([{"x": 0.5}, {"x": 0.25}]), 4)


def played(searcher, loss, trials=12, workers=1, goals=LOSS, scheduler=None, steps=1):
    engine = Engine(Limits(num_trials=trials, seed=3), searcher, scheduler or Fifo(), goals)
    World(engine, loss, length=steps, workers=workers).run()
    return engine


@pytest.mark.parametrize("workers", [1, 5])
def test_the_searcher_hears_the_mean_of_each_config_once(workers):
    inner = Heard()
    engine = played(Repeat(inner, 3, seed=3), lambda c, _: c["x"] + c[TRIAL_INDEX], workers=workers)
    configs = [trial.config for trial in engine.experiment.trials.values()]
    assert [config[TRIAL_INDEX] for config in configs] == [0, 1, 2] * 4
    assert len({config["x"] for config in configs}) == 4
    assert sorted(number for number, *_ in inner.heard) == [0, 1, 2, 3]
    for number, status, mean, score in inner.heard:
        assert status is Status.DONE
        assert mean == score == pytest.approx(configs[3 * number]["x"] + 1)


def test_numbers_that_are_missing_stay_out_of_the_mean():
    losses = {0: math.nan, 1: 2.0, 2: 4.0}
    inner = Heard()
    played(Repeat(inner, 3, seed=3), lambda c, _: losses[c[TRIAL_INDEX]], trials=3)
    assert inner.heard == [(0, Status.DONE, 3.0, 3.0)]


def test_the_mean_of_what_is_to_grow():
    inner = Heard()
    goals = (Goal("loss", "max"), Goal("size", "min"))
    played(Repeat(inner, 2, seed=3), lambda c, _: {"loss": c[TRIAL_INDEX], "size": 7.0}, trials=2, goals=goals)
    assert inner.heard == [(0, Status.DONE, 0.5, -0.5)]
    assert inner.seen.vectors == {0: (-0.5, 7.0)}


def test_a_config_of_which_no_trial_came_to_anything_has_failed():
    inner = Heard()
    played(Repeat(inner, 2, seed=3), lambda _c, _: math.nan, trials=4)
    assert [(number, status) for number, status, *_ in inner.heard] == [(0, Status.FAILED), (1, Status.FAILED)]
    assert list(inner.seen.bad) == [0, 1]


def test_the_rest_that_is_not_repeated_often_enough_is_not_heard_of():
    inner = Heard()
    played(Repeat(inner, 3, seed=3), lambda c, _: c["x"], trials=8)
    assert len(inner.heard) == 2
    assert len(inner.seen.pending) == 1


def test_what_was_cut_short_counts_as_that():
    inner = Heard()
    asha = Asha(max_t=9, reduction_factor=3)
    played(Repeat(inner, 2, seed=3), lambda c, step: c["x"] + 1 / step, 40, 4, scheduler=asha, steps=9)
    early = [place.early for place in inner.seen.ranked]
    assert Status.STOPPED in {status for _, status, *_ in inner.heard}
    assert len(early) == 20
    assert early[0] == -math.inf
    assert {-1.0, -3.0} & set(early)


def test_enqueued_configs_are_their_own():
    inner = Heard()
    engine = Engine(Limits(num_trials=5, seed=3), Repeat(inner, 2, seed=3), Fifo(), (Goal("loss", "min"),))
    world = World(engine, lambda c, _: c["x"], workers=1)
    world.run(reports=1)
    for event in engine.handle(ev.Enqueued({"x": 0.125})):
        world.log.append(event)
    world.run()
    again = [t.config for t in engine.experiment.trials.values() if t.config == {"x": 0.125}]
    assert again == [{"x": 0.125}]
    assert sorted(number for number, *_ in inner.heard) == [0, 1, 2]


def test_points_are_repeated_too():
    searcher = Repeat(Given([{"x": 0.5}], SPACE, Tpe(SPACE)), 2, seed=3)
    engine = played(searcher, lambda c, _: c["x"], trials=4)
    assert [t.config["x"] == 0.5 for t in engine.experiment.trials.values()] == [True, True, False, False]


@pytest.mark.parametrize("repeat", [0, -2, True, 2.5, "3"])
def test_bad_numbers_are_refused(repeat):
    with pytest.raises(BadArgument, match="repeat"):
        Repeat(Tpe(SPACE), repeat)
