"""Sweeps that were built in Python, with agents."""

from __future__ import annotations

import json

from luthier.server import sweeping
from luthier.server.texts import value
from luthier.sweeps.config import tune
from luthier.sweeps.config.hyperopt import hp
from luthier.sweeps.config.tune.suggest.hyperopt import HyperOptSearch
from tests.server.world import World

PAGE = tune.run(
    "train.py",
    search_alg=HyperOptSearch(
        {
            "x": hp.uniform("x", 0, 20),
            "height": hp.uniform("height", -100, 100),
            "activation": hp.choice("activation", ["relu", "tanh"]),
        },
        metric="loss",
        mode="min",
        n_initial_points=3,
    ),
    num_samples=10,
)


def test_three_agents_complete_the_pages_sweep(engine):
    w = World(engine, str(PAGE), seed=0)
    for _ in range(3):
        w.join()
    w.run()
    assert w.state().state == "FINISHED"
    assert [row.state for row in w.runs()] == ["finished"] * 10
    configs = [value(row.config) for row in w.runs()]
    assert len({json.dumps(config) for config in configs}) == 10
    assert all(config.keys() == {"x", "height", "activation"} for config in configs)
    w.check()
    w.close()


def test_a_sweep_ends_when_its_time_is_over(engine):
    w = World(
        engine, str(tune.run("train.py", config={"x": tune.uniform(0, 1)}, time_budget_s=60)), seed=0, steps=10**6
    )
    assert w.servers[0][0].budgets() == {w.sweep: 60.0}
    walker = w.join()
    w.talk(walker)
    w.now += 59
    w.write(lambda c, r: sweeping.end_in_time(c, r, w.sweep, w.now))
    assert w.state().state == "RUNNING"
    w.now += 2
    w.write(lambda c, r: sweeping.end_in_time(c, r, w.sweep, w.now))
    w.run()
    assert w.state().state == "FINISHED"
    (run,) = w.runs()
    assert (run.state, run.reason) == ("stopped", "the time budget of 60 s is over")
    assert w.servers[0][0].budgets() == {}
    w.close()
