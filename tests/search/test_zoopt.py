"""ZOOpt as a searcher: the laws, its dimensions, and what it is told."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
from zoopt import ValueType

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Function, Grid, Integer, Normal, Space
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.search.distinct import Distinct
from luthier.search.flat_axes import FlatAxes
from luthier.search.known import Known
from luthier.search.library import Library
from luthier.search.zoopt import ZooptStudy, converted
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract

LOSS = (Goal("loss", "min"),)
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "decay": Float(1e-3, 1.0, log=True, q=1e-3),
        "drop": Float(0.0, 0.9, q=0.1),
        "width": Integer(8, 512, log=True),
        "units": Integer(5, 50, q=10),
        "shift": Normal(10, 2),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, [3]])}]),
        "constant": 3,
        "twice": Function(lambda config: 2 * config["drop"]),
    }
)


def study_of(space: Space, budget: int = 60, known: Any = (), **more: Any) -> ZooptStudy:
    return ZooptStudy(FlatAxes(space, "ZOOpt"), budget, known, **more)


def library(space: Space, seed: int = 11, **more: Any) -> Any:
    return Library(Distinct(study_of(space, **more), space), seed)


class Contract(SearcherContract):
    replayable = False


class TestMixed(Contract):
    space = MIXED

    def make(self):
        return library(MIXED)


class TestOnePoint(Contract):
    space = Space({"x": 3})
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})  # one config

    def make(self):
        return library(self.space)


class TestOneOption(Contract):
    space = Space({"x": Categorical([5]), "y": Integer(2, 2), "z": Categorical(["a", "b"])})

    def make(self):
        return library(self.space)


class TestWide(Contract):
    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})
    most = 20

    def make(self):
        return library(self.space)


def played(searcher, loss, trials=40, workers=2, scheduler=None, steps=1, seed=11, **world):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, scheduler or Fifo(), LOSS)
    World(engine, loss, length=steps, workers=workers, **world).run()
    return engine


def drawn(space, count, **more):
    study, configs = study_of(space, **more), []
    for seed in range(count):
        found = study.propose(seed)
        study.withdraw(found.token)
        configs.append(found.config)
    return configs


def alike(ours, theirs):
    """Whether two samples have one distribution, by the Kolmogorov-Smirnov distance (at 1 in 1e6)."""
    values = np.unique(np.concatenate([ours, theirs]))
    distance = np.abs(
        np.searchsorted(np.sort(ours), values, "right") / len(ours)
        - np.searchsorted(np.sort(theirs), values, "right") / len(theirs)
    ).max()
    return distance < math.sqrt(-math.log(1e-6 / 2) / 2 * (1 / len(ours) + 1 / len(theirs)))


def test_what_becomes_what():
    """Bounds, scales, rounding and whole numbers survive."""
    configs = drawn(MIXED, 1500)
    assert all(config in MIXED and config["twice"] == 2 * config["drop"] for config in configs)
    ours = [MIXED.sample(rng_at(9, k)) for k in range(1500)]
    for name in ("lr", "decay", "width", "units", "shift"):
        assert alike([c[name] for c in configs], [c[name] for c in ours]), name
    drops = [c["drop"] for c in configs]
    assert set(drops) == {k / 10 for k in range(10)}
    assert all(100 < drops.count(k / 10) < 200 for k in range(10))  # both ends as likely as the rest
    assert {c["units"] for c in configs} == {10, 20, 30, 40, 50}
    trees = [c["model"] for c in configs if c["model"] != "linear"]
    assert 0.45 < len(trees) / len(configs) < 0.55
    assert {tree["depth"] for tree in trees} == set(range(1, 9))
    assert [3] in [tree["act"] for tree in trees] and None in [tree["act"] for tree in trees]
    kinds = {scale.part.axis.name: scale.dimension for scale in study_of(MIXED).scales}
    place, step = (ValueType.CONTINUOUS, [0.0, 1.0], 1e-12), ValueType.DISCRETE
    assert kinds == {
        "lr": place, "decay": place, "drop": (step, [0, 9], True), "width": place, "units": (step, [0, 4], True),
        "shift": place, "model": (step, [0, 1], False), "model[1]/depth": (step, [0, 7], True),
        "model[1]/act": (step, [0, 2], False),
    }  # fmt: skip


def test_dimensions_of_theirs():
    space = converted(
        {
            "x": (ValueType.CONTINUOUS, [-10, 10], 1e-2),
            "fine": (ValueType.CONTINUOUS, [0, 1e-3], 1e-12),
            "odd": (ValueType.CONTINUOUS, [0.05, 0.98], 0.1),
            "tens": (ValueType.CONTINUOUS, [0, 100], 10),
            "quarter": (ValueType.CONTINUOUS, [0, 1], 0.25),
            "n": (ValueType.DISCRETE, [-10, 10], True),
            "kind": (ValueType.DISCRETE, [1, 3], False),
            "net/layers": (ValueType.GRID, [4, 8, [16]]),
            "ours": Float(0, 1),
            "constant": (1, 2, 3),
        }
    )
    assert space.description == {
        "x": Float(-10, 10, q=0.01),
        "fine": Float(0, 1e-3),
        "odd": Float(0.1, 0.9, q=0.1),
        "tens": Float(0, 100, q=10),
        "quarter": Float(0, 1, q=0.01),  # two decimals, as ZOOpt has it
        "n": Integer(-10, 10),
        "kind": Categorical(range(1, 4)),
        "net": {"layers": Categorical([4, 8, [16]])},
        "ours": Float(0, 1),
        "constant": (1, 2, 3),
    }
    configs = drawn(space, 300)
    assert {str(c["net"]["layers"]) for c in configs} == {"4", "8", "[16]"}
    assert {c["kind"] for c in configs} == {1, 2, 3}


@pytest.mark.parametrize(
    "dimension",
    [(ValueType.CONTINUOUS, [0, 1], 0), (ValueType.CONTINUOUS, [0, 1], 10), (ValueType.DISCRETE, [3, 1], 1)],
)
def test_dimensions_that_cannot_be_used(dimension):
    with pytest.raises(BadArgument):
        converted({"x": dimension})


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match=r"'x'.*ZOOpt does not walk grids"):
        study_of(Space({"x": Grid([1, 2])}))


def test_it_keeps_the_best_and_failures_are_the_worst():
    space = Space({"x": Float(0, 1)})
    study = study_of(space, budget=60)  # a model of 6
    for k in range(20):
        token = study.insert({"x": k / 20})
        study.settle(token, None if k % 2 else (abs(k / 20 - 0.6),), stopped=False)
    assert [round(s.get_x()[0], 2) for s in study.best] == [0.6, 0.5, 0.7, 0.4, 0.8, 0.3]
    few = study_of(space, 60, [Known({"x": 0.1}, None), Known({"x": 0.5}, (2.0,))])
    assert [s.get_value() for s in few.best] == [2.0, math.inf]
    assert study.insert({"y": 1}) is None


def test_a_config_that_was_tried_twice_counts_once_with_its_better_score():
    """ZOOpt would look for ever for what tells two points of one place apart."""
    space = Space({"x": Integer(0, 3), "m": Categorical(["a", "b"])})
    study = study_of(space, budget=10)
    for score in (3.0, 1.0, 2.0):
        for m in "ab":
            study.settle(study.insert({"x": 0, "m": m}), (score,), stopped=False)
    assert [s.get_value() for s in study.best] == [1.0, 1.0]
    engine = played(library(space, budget=40), lambda c, _: c["x"], 40)  # 8 configs, 40 trials
    assert len(engine.experiment) == 40


def test_others_are_left_alone():
    """Chance is numpy's global generator for ZOOpt, and precisions a global list: both are as they were after it."""
    np.random.seed(5)  # noqa: NPY002 (the global one)
    first = np.random.random(3)  # noqa: NPY002 (as above)
    np.random.seed(5)  # noqa: NPY002 (the global one)
    one, two = study_of(Space({"x": Float(0, 1)})), study_of(MIXED)
    alone = [one.propose(k).config for k in range(9)]
    other = study_of(Space({"x": Float(0, 1)}))
    between = []
    for k in range(9):
        two.settle(two.propose(k).token, (k,), stopped=False)
        between.append(other.propose(k).config)
    assert between == alone
    assert list(np.random.random(3)) == list(first)  # noqa: NPY002 (as above)


def test_it_goes_on_where_its_own_driver_waits_for_ever(capsys):
    """One trial at a time, a failure among the first: SRacosTune proposes nothing any more after either."""
    engine = played(library(MIXED, budget=30), lambda c, _: c["drop"], 30, workers=1, failure_rate=0.3)
    assert len(engine.experiment) == 30
    assert capsys.readouterr().out == ""


def test_it_learns_in_a_conditional_space():
    searcher = library(MIXED, budget=200)
    engine = played(searcher, lambda c, _: (c["shift"] - 12) ** 2 + 5 * (c["model"] == "linear") + c["drop"], 200)
    trials = list(engine.experiment.trials.values())
    early, late = (sorted(t.score for t in part) for part in (trials[:60], trials[140:]))
    assert late[30] < early[30] / 3


def test_running_trials_get_different_configs_even_where_there_are_few():
    space = Space({"a": Categorical(range(3)), "b": Integer(1, 4)})
    engine = Engine(Limits(num_trials=12, seed=3), library(space, seed=3), Fifo(), LOSS)
    World(engine, lambda c, _: c["a"] * c["b"], length=1, workers=12).run(until=0.0)
    configs = [tuple(t.config.values()) for t in engine.experiment.trials.values()]
    assert len(configs) == len(set(configs)) == 12


def test_stopped_trials_count_with_their_last_score():
    searcher = library(Space({"x": Float(0, 1)}))
    engine = played(searcher, lambda c, step: c["x"] + 1 / step, 30, 3, Asha(max_t=4, reduction_factor=2), 4)
    scores = sorted(t.metrics["loss"] for t in engine.experiment.trials.values())
    assert [s.get_value() for s in searcher.study.study.best] == scores[:6]
