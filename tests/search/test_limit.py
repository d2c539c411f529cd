"""Few trials at a time, or batch by batch."""

from __future__ import annotations

from typing import ClassVar

import pytest

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.events import Ended, Exited, Launched
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.space import Float, Space
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.hb_bohb import HyperbandForBohb
from luthier.search.limit import Limit
from luthier.search.tpe import Tpe
from luthier.search.variants import Variants
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract

SPACE = Space({"x": Float(0, 1), "y": Float(0, 1)})


class Noting(Tpe):
    """Notes which ends it hears of, and how many trials were under way then."""

    def __init__(self, space):
        super().__init__(space, startup=2)
        self.ends: list[tuple[str, int]] = []

    def tell(self, news, experiment):
        super().tell(news, experiment)
        if isinstance(news, Ended):
            self.ends.append((news.trial, len(self.seen.pending)))


class TestLimited(SearcherContract):
    space = SPACE

    def make(self):
        return Limit(Tpe(SPACE, startup=3), 2)


class TestBatches(SearcherContract):
    space = SPACE

    def make(self):
        return Limit(Tpe(SPACE, startup=3), 4, batch=True)


class TestLimitedVariants(SearcherContract):
    space = SPACE
    adaptive = False
    waived: ClassVar = frozenset()

    def make(self):
        return Limit(Variants(SPACE, -1), 3)


def played(searcher, trials=30, workers=8, scheduler=None, steps=1, curve=None):
    engine = Engine(Limits(num_trials=trials, seed=3), searcher, scheduler or Fifo(), (Goal("loss", "min"),))
    world = World(engine, curve or (lambda c, step: c["x"] + 1 / step), length=steps, workers=workers)
    world.run()
    held: set[str] = set()
    most = 0
    for event in world.log:
        if isinstance(event, Launched):
            held.add(event.trial)
        elif isinstance(event, Exited):
            held.discard(event.trial)
        most = max(most, len(held))
    return engine, most


@pytest.mark.parametrize("most", [1, 3, 8])
def test_no_more_than_that_are_under_way(most):
    engine, held = played(Limit(Tpe(SPACE), most))
    assert held == most
    assert len(engine.experiment) == 30


def test_a_batch_is_told_at_once_and_the_next_begins_after_it():
    inner = Noting(SPACE)
    engine, held = played(Limit(inner, 5, batch=True), trials=20)
    assert held == 5
    assert [pending for _, pending in inner.ends] == [4, 3, 2, 1, 0] * 4
    assert sorted(trial for trial, _ in inner.ends) == list(engine.experiment.trials)


def test_without_batch_each_end_is_told_when_it_comes():
    inner = Noting(SPACE)
    played(Limit(inner, 5), trials=20)
    assert max(pending for _, pending in inner.ends[:-5]) == 4
    assert min(pending for _, pending in inner.ends[:10]) == 4


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_scheduler_that_waits_for_more_trials_does_not_hang(most, batch):
    """Paused trials count, so a bracket of nine never fills: it is told that nothing goes on, and acts on it."""
    engine, _ = played(Limit(Tpe(SPACE), most, batch), 12, scheduler=HyperbandForBohb(max_t=9), steps=9)
    assert len(engine.experiment) == 12
    assert all(trial.status.final for trial in engine.experiment.trials.values())


@pytest.mark.parametrize("most", [0, -1, True, 1.5, None])
def test_bad_limits_are_refused(most):
    with pytest.raises(BadArgument, match="max_concurrent"):
        Limit(Tpe(SPACE), most)
