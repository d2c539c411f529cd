"""CMA-ES: what it learns on functions that were made to be hard, and how it handles values that are few."""

from __future__ import annotations

import math

import numpy as np
import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.space import Categorical, Float, Integer, Space
from luthier.schedulers.fifo import Fifo
from luthier.search.cmaes import Cmaes
from luthier.simulation.world import World


def best(searcher, loss, trials, workers=1, seed=1):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, Fifo(), (Goal("loss", "min"),))
    World(engine, loss, length=1, workers=workers).run()
    return min(t.score for t in engine.experiment.trials.values() if t.score is not None)


CUBE = Space({f"x{k}": Float(0, 1) for k in range(4)})
TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(4, 4)))[0]


def narrow(config, _step):
    """An ellipsoid across all axes, a thousand times as long as it is wide."""
    x = TURN @ (np.array(list(config.values())) - 0.4)
    return float((np.array([1, 1e2, 1e4, 1e6]) * x * x).sum())


def test_it_learns_directions():
    assert best(Cmaes(CUBE), narrow, 1500) < 1e-6


@pytest.mark.parametrize("workers", [3, 10])
def test_it_learns_from_whoever_comes_first(workers):
    assert best(Cmaes(CUBE), narrow, 2500, workers) < 1e-4


def test_a_search_at_rest_starts_again_with_twice_the_population():
    searcher = Cmaes(Space({"x": Float(0, 1), "y": Float(0, 1)}))
    small = searcher.size
    best(searcher, lambda c, _: (c["x"] - 0.3) ** 2 + (c["y"] - 0.6) ** 2, 1500)
    assert searcher.restarts > 0
    assert searcher.size >= 2 * small


def test_few_values_stay_within_reach():
    """The spread of a whole number never falls so low that its neighbours cannot be tried."""
    space = Space({"x": Float(0, 1), "n": Integer(1, 5), "c": Categorical("abc"[k] for k in range(3))})

    def loss(config, _step):
        return (config["x"] - 0.3) ** 2 + abs(config["n"] - 4) * 0.01 + 0.02 * "cab".index(config["c"])

    searcher = Cmaes(space)
    assert best(searcher, loss, 500) < 1e-4
    spread = searcher.sigma * np.sqrt(np.diag(searcher.spread))
    assert spread[1] >= 0.3 / 5 - 1e-9
    assert (spread[2:] >= 0.2 - 1e-9).all()


def test_more_than_a_hundred_coordinates_have_no_covariances():
    space = Space({f"x{k}": Float(0, 1) for k in range(120)})
    searcher = Cmaes(space)
    before = math.inf
    for trials in (20, 2000):
        found = best(Cmaes(space), lambda c, _: sum((u - 0.3) ** 2 for u in c.values()), trials)
        assert found < before * 0.5
        before = found
    assert not searcher.full


def test_configs_of_others_pull_without_breaking_it():
    """A point far away that is the best of all moves the mean by no more than a likely step."""
    searcher = Cmaes(CUBE, sigma=0.01)
    engine = Engine(Limits(num_trials=20, seed=3), searcher, Fifo(), (Goal("loss", "min"),))
    engine.handle(ev.Enqueued({f"x{k}": 1.0 for k in range(4)}))
    World(engine, lambda config, _: -config["x0"], length=1, workers=1).run()
    assert searcher.steps >= 1
    assert abs(searcher.mean[0] - 0.5) < 0.2
