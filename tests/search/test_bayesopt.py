"""Bayesian-optimization as a searcher: the laws, its axes, and what it is told."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import bayes_opt
import numpy as np
import pytest
from bayes_opt.parameter import CategoricalParameter, FloatParameter, IntParameter

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Grid, Integer, Normal, Space
from luthier.schedulers.fifo import Fifo
from luthier.search.bayesopt import BayesOptStudy, OneHot, Utility
from luthier.search.bayesopt_space import converted
from luthier.search.distinct import Distinct
from luthier.search.known import Known
from luthier.search.library import Library
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract

LOSS = (Goal("loss", "min"),)
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "drop": Float(0.0, 0.9, q=0.1),
        "shift": Normal(10, 2),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, [3]])}]),
        "many": Categorical([f"m{k}" for k in range(30)]),
        "constant": 3,
    }
)

SMALL = Space({"lr": Float(1e-4, 1e-1, log=True), "model": Categorical(["linear", {"depth": Integer(1, 8)}])})


def library(space: Space, seed: int = 11, **more: Any) -> Any:
    return Library(BayesOptStudy(space, **({"startup": 3} | more)), seed)


class Contract(SearcherContract):
    replayable = False
    most = 8  # a model of three and more takes the library a tenth of a second

    def test_exhausted_is_for_ever(self):
        """Of 30 numbers, not 300."""
        searcher = self.make()
        assert all(isinstance(searcher.ask(number, rng_at(0, number)), dict) for number in range(30))


class TestMixed(Contract):
    space = SMALL

    def make(self):
        return library(SMALL, startup=2)


class TestOnePoint(SearcherContract):
    space = Space({"x": 3})
    adaptive = False
    replayable = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})  # one config

    def make(self):
        return library(self.space)


class TestOneOption(SearcherContract):
    space = Space({"x": Categorical([5]), "y": Integer(2, 2)})
    replayable = False

    def make(self):
        return library(self.space)


class TestWide(Contract):
    """200 axes, drawn at random: a model of 200 axes takes the library three seconds for each trial."""

    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})

    def make(self):
        return library(self.space, startup=1000)


def played(searcher, loss, trials=20, workers=2, seed=11, **world):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, Fifo(), LOSS)
    World(engine, loss, length=1, workers=workers, **world).run()
    return engine


def test_what_becomes_what():
    """Bounds, log-ness, quanta and integer-ness survive, whatever the library's numbers."""
    points = OneHot(MIXED, "It")
    assert len(points.parts) == 4 + 2 + 3 + 1  # two choices by an axis for each option, the long one by one
    chance = np.random.default_rng(1)
    configs = [points.config(list(chance.random(10)), rng_at(place)) for place in range(1500)]
    assert all(config in MIXED for config in configs)
    assert 10**-2.7 < sorted(c["lr"] for c in configs)[750] < 10**-2.3
    assert {c["drop"] for c in configs} == {k / 10 for k in range(10)}
    assert 9.8 < sorted(c["shift"] for c in configs)[750] < 10.2
    assert len({c["many"] for c in configs}) == 30
    trees = [c["model"] for c in configs if c["model"] != "linear"]
    assert 0.45 < len(trees) / len(configs) < 0.55
    assert {tree["depth"] for tree in trees} == set(range(1, 9))
    assert {str(tree["act"]) for tree in trees} == {"relu", "None", "[3]"}
    for config in configs[:50]:
        values = points.values(config)
        assert values is not None
        again = points.config(values, rng_at(0))
        assert (again["model"], again["many"]) == (config["model"], config["many"])
    ends = [points.config([end] * 10, rng_at(0)) for end in (0.0, 1.0)]
    assert [c["many"] for c in ends] == ["m0", "m29"] and all(c in MIXED for c in ends)


def test_a_model_of_200_axes():
    known = [Known(TestWide.space.sample(rng_at(k)), (float(k % 5),)) for k in range(10)]
    assert BayesOptStudy(TestWide.space, known).propose(1).config in TestWide.space


def test_bounds_of_theirs():
    space = converted(
        {
            "x": (0, 10),
            "y": np.array([0.5, 2.5]),
            "f": (0, 1, float),
            "n": (1, 3, int),
            "kind": ("a", "b", "c"),
            "ks": [1, 2, 4],
            "deep/z": FloatParameter("z", (1.0, 2.0)),
            "i": IntParameter("i", (3, 5)),
            "c": CategoricalParameter("c", ["p", "q"]),
            "ours": Float(1.0, 2.0, log=True),
            "inner": {"w": (0, 1), "constant": "text"},
            "constant": 7,
        }
    )
    assert space.description == {
        "x": Float(0, 10),
        "y": Float(0.5, 2.5),
        "f": Float(0, 1),
        "n": Integer(1, 3),
        "kind": Categorical(("a", "b", "c")),
        "ks": Categorical([1, 2, 4]),
        "deep": {"z": Float(1, 2)},
        "i": Integer(3, 5),
        "c": Categorical(["p", "q"]),
        "ours": Float(1.0, 2.0, log=True),
        "inner": {"w": Float(0, 1), "constant": "text"},
        "constant": 7,
    }


@pytest.mark.parametrize("given", [(3, 1), (0, 1, str), [Float(0, 1), 2]])
def test_bounds_that_are_none_are_refused(given):
    with pytest.raises(BadArgument, match=r"space\['x'\]"):
        converted({"x": given})


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match="'x'"):
        BayesOptStudy(Space({"x": Grid([1, 2])}))


def test_what_it_is_told(monkeypatch):
    """Losses turned round; failures and what is not finite as the worst, running trials as the best."""
    told: list[tuple[Any, ...]] = []
    real = bayes_opt.BayesianOptimization.suggest

    def suggest(self):
        told.append((self.space.params.copy(), self.space.target.copy()))
        return real(self)

    monkeypatch.setattr(bayes_opt.BayesianOptimization, "suggest", suggest)
    space = Space({"x": Float(0, 10)})
    known = [Known({"x": 5.0}, (25.0,)), Known({"x": 5.0}, (35.0,)), Known({"x": 1.0}, (1.0,)), Known({"x": 9.0}, None)]
    study = BayesOptStudy(space, known, startup=4)
    first = study.propose(1)
    study.insert({"x": 7.0})
    study.propose(2)
    assert told[0][0].ravel().tolist() == [0.5, 0.1, 0.9]  # each point once
    assert told[0][1].tolist() == [-30.0, -1.0, -35.0]
    assert told[1][0].ravel().tolist() == [0.5, 0.1, 0.9, first.config["x"] / 10, 0.7]
    assert told[1][1].tolist() == [-30.0, -1.0, -35.0, -1.0, -1.0]


@pytest.mark.parametrize("kind", ["ucb", "ei", "poi"])
def test_it_learns(kind):
    utility = Utility(kind, kappa=1.0, xi=0.01)
    space = Space({"shift": Normal(10, 2), "drop": Float(0.0, 0.9, q=0.1)})
    engine = played(library(space, utility=utility, startup=6), lambda c, _: (c["shift"] - 12) ** 2 + c["drop"], 16)
    shifts = [trial.config["shift"] for trial in engine.experiment.trials.values()]
    assert sum(abs(shift - 12) < 1.2 for shift in shifts[8:]) >= 5  # of eight; of random ones, two


def test_kappa_decays_with_the_proposals_of_the_model():
    study = BayesOptStudy(
        Space({"x": Float(0, 1)}), utility=Utility(kappa=2.0, kappa_decay=0.5, kappa_decay_delay=1), startup=2
    )
    kappas = []
    for k in range(6):
        kappas.append(study._acquisition().kappa)
        study.insert({"x": k / 10})
    assert kappas == [2, 2, 2, 2, 1, 0.5]


@pytest.mark.parametrize("loss", [lambda c: 1.0, lambda c: 1e308 * (c["x"] - 0.5), lambda c: math.nan])
def test_values_that_teach_nothing(loss):
    engine = played(library(Space({"x": Float(0, 1), "y": Float(0, 1)})), lambda c, _: loss(c), 8)
    assert len({str(t.config) for t in engine.experiment.trials.values()}) == 8


def test_trials_that_fail_are_kept_away_from():
    def loss(config, step):
        if config["x"] > 0.5:
            return math.nan
        return -config["x"]

    engine = played(library(Space({"x": Float(0, 1)}), startup=6), loss, 20, workers=1)
    late = [t.config["x"] for t in engine.experiment.trials.values() if t.number >= 12]
    assert sum(x <= 0.5 for x in late) >= 5
    assert max(x for x in late if x <= 0.5) > 0.4


def test_trials_that_run_get_different_configs_and_all_are_tried_before_it_is_over():
    space = Space({"a": Categorical(range(3)), "b": Integer(1, 4)})
    engine = Engine(Limits(num_trials=20, seed=3), library(space), Fifo(), LOSS)
    World(engine, lambda c, _: c["a"] * c["b"], length=1, workers=12).run()
    configs = [tuple(t.config.values()) for t in engine.experiment.trials.values()]
    assert len(configs) == len(set(configs)) == 12
    assert engine.experiment.exhausted


def test_it_is_over_where_the_model_comes_to_what_was_tried():
    """An integer's places all lead to it: the library is told so, and looks elsewhere before that is the end."""
    searcher = library(Space({"n": Integer(0, 9)}), startup=2)
    engine = played(searcher, lambda c, _: (c["n"] - 6) ** 2, 30, workers=1)
    found = [t.config["n"] for t in engine.experiment.trials.values()]
    assert len(found) == len(set(found)) and 6 in found
    assert engine.experiment.exhausted and searcher.ask(30, rng_at(3, 30)) is Nothing.EXHAUSTED


def test_what_was_tried_may_be_tried_again():
    space = Space({"n": Integer(0, 2)})
    engine = played(Library(Distinct(BayesOptStudy(space, startup=2, patience=0), space), 11), lambda c, _: c["n"], 8)
    assert len(engine.experiment) == 8 and not engine.experiment.exhausted


def test_configs_are_told_apart_by_decimals():
    study = BayesOptStudy(Space({"x": Float(1e-7, 1e-5, log=True), "w": Float(0, 1e6)}), digits=3)
    one, two = {"x": 1e-6, "w": 5.0}, {"x": 2e-6, "w": 5.0}
    assert study.key(one) != study.key(two)  # by their places
    assert study.key({"x": 1e-6, "w": 5.001}) != study.key(one)  # by their values
    assert study.key({"x": 1e-6, "w": 5.0001}) == study.key(one)
