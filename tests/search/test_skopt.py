"""Scikit-optimize as a searcher: the laws, its dimensions, and what it is told."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import skopt
from skopt.learning import ExtraTreesRegressor
from skopt.space import Categorical as Cat
from skopt.space import Integer as Int
from skopt.space import Real

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Grid, Integer, Normal, Space
from luthier.schedulers.fifo import Fifo
from luthier.search.distinct import Distinct
from luthier.search.known import Known
from luthier.search.library import Library
from luthier.search.skopt import SkOptStudy
from luthier.search.skopt_space import Dimensions, converted, named
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract

LOSS = (Goal("loss", "min"),)
SMALL = Space({"lr": Float(1e-4, 1e-1, log=True), "model": Categorical(["linear", {"depth": Integer(1, 8)}])})
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "drop": Float(0.0, 0.9, q=0.1),
        "shift": Normal(10, 2),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, [3]])}]),
        "one": Categorical(["only"]),
        "constant": 3,
    }
)
DIMENSIONS = [Real(0.5, 2.5), Int(1, 99, "log-uniform"), Cat(["a", "b"], prior=[0.9, 0.1])]
NAMES = ["x", "deep/n", "deep/kind"]


def arguments(**more: Any) -> dict[str, Any]:
    found = dict(skopt.Optimizer(DIMENSIONS, random_state=3, **more).specs["args"])
    del found["random_state"]
    return found


def library(space: Space, seed: int = 11, startup: int = 2) -> Any:
    return Library(Distinct(SkOptStudy(space, startup=startup), space), seed)


def theirs(**more: Any) -> Any:
    space = named(DIMENSIONS, NAMES)
    study = SkOptStudy(space, (), arguments(**more), NAMES, seed=11)
    return Library(Distinct(study, space), 11)


class Contract(SearcherContract):
    replayable = False
    most = 8  # a model takes the library a tenth of a second and more

    def test_exhausted_is_for_ever(self):
        """Of 30 numbers, not 300."""
        searcher = self.make()
        assert all(isinstance(searcher.ask(number, rng_at(0, number)), dict) for number in range(30))


class TestMixed(Contract):
    space = SMALL

    def make(self):
        return library(SMALL)


class TestTheirs(Contract):
    space = named(DIMENSIONS, NAMES)

    def make(self):
        trees = ExtraTreesRegressor(n_estimators=5)
        return theirs(n_initial_points=3, initial_point_generator="lhs", base_estimator=trees, acq_func="EI")


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
    """200 axes, drawn at random: a model of 200 axes takes the library two seconds for each trial."""

    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})

    def make(self):
        return library(self.space, startup=1000)


def played(searcher, loss, trials=20, workers=2, seed=11, **world):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, Fifo(), LOSS)
    World(engine, loss, length=1, workers=workers, **world).run()
    return engine


def told_by(monkeypatch):
    told: list[tuple[Any, Any]] = []
    real = skopt.Optimizer.tell

    def tell(self, x, y):
        told.append((x, y))
        real(self, x, y)

    monkeypatch.setattr(skopt.Optimizer, "tell", tell)
    return told


def test_ranges_of_theirs():
    space = converted(
        {
            "x": (0.0, 10.0),
            "lr": (1e-4, 1e-1, "log-uniform"),
            "n": (1, 9),
            "m": (1, 1024, "log-uniform", 2),
            "u": (1, 3, "uniform"),
            "kind": ("a", "b", "c"),
            "ks": [1, 2],
            "deep/z": Real(1.0, 2.0),
            "i": Int(3, 5),
            "c": Cat(["p", "q"]),
            "ours": Float(1.0, 2.0, log=True),
            "inner": {"w": (0, 1.5), "constant": "text"},
            "constant": 7,
        }
    )
    assert space.description == {
        "x": Float(0, 10),
        "lr": Float(1e-4, 1e-1, log=True),
        "n": Integer(1, 9),
        "m": Integer(1, 1024, log=True),
        "u": Integer(1, 3),
        "kind": Categorical(("a", "b", "c")),
        "ks": Categorical([1, 2]),
        "deep": {"z": Float(1, 2)},
        "i": Integer(3, 5),
        "c": Categorical(["p", "q"]),
        "ours": Float(1.0, 2.0, log=True),
        "inner": {"w": Float(0, 1.5), "constant": "text"},
        "constant": 7,
    }


@pytest.mark.parametrize("given", [(3, 1), (0.0, 1.0, "log-uniform"), [Float(0, 1), 2], [(0, 1), Real(0, 1)]])
def test_ranges_that_are_none_are_refused(given):
    with pytest.raises(BadArgument, match=r"space\['x'\]"):
        converted({"x": given})


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match="'x'"):
        SkOptStudy(Space({"x": Grid([1, 2])}))


def test_the_model_chooses_configs_of_the_space():
    """All axes, those with one value apart, whatever is alive."""
    known = [Known(MIXED.sample(rng_at(k)), (float(k % 5),)) for k in range(12)]
    study = SkOptStudy(MIXED, known)
    configs = [study.propose(seed).config for seed in range(6)]
    assert all(config in MIXED for config in configs)
    assert len({str(config) for config in configs}) == 6
    assert len(study.entries[1].values) == 6


def test_a_model_of_200_axes():
    known = [Known(TestWide.space.sample(rng_at(k)), (float(k % 5),)) for k in range(10)]
    assert SkOptStudy(TestWide.space, known).propose(1).config in TestWide.space


def test_their_dimensions_there_and_back():
    space = named(DIMENSIONS, NAMES)
    points = Dimensions(Space({"constant": 1, **space.description}), NAMES)
    for values in skopt.Space(DIMENSIONS).rvs(50, random_state=1):
        config = points.config(values, rng_at(0))
        assert config["constant"] == 1
        assert type(config["deep"]["n"]) is int and type(config["deep"]["kind"]) is str
        again = points.values(config)
        assert again[0] == pytest.approx(values[0]) and again[1:] == values[1:]
    assert points.values({"x": 1.0}) is None
    assert points.values({"x": 9.0, "deep": {"n": 3, "kind": "a"}}) == [2.5, 3, "a"]


def test_a_users_optimizer_draws_as_it_would():
    """Priors of categories, a constraint, and initial points that belong together."""
    kinds = [theirs().ask(0, rng_at(place))["deep"]["kind"] for place in range(100)]
    assert 80 <= kinds.count("a") < 100
    limited = theirs(space_constraint=lambda values: values[1] <= 3)
    assert {limited.study.study.draw(rng_at(place))["deep"]["n"] for place in range(40)} == {1, 2, 3}
    searcher = theirs(n_initial_points=10, initial_point_generator="lhs")
    engine = played(searcher, lambda c, _: c["x"], 10, workers=3)
    xs = sorted(trial.config["x"] for trial in engine.experiment.trials.values())
    assert [int((x - 0.5) / 0.2) for x in xs] == list(range(10))  # one in each tenth


def test_what_it_is_told(monkeypatch):
    told = told_by(monkeypatch)
    space = Space({"x": Float(0, 10), "c": Categorical(["a", "b"])})
    known = [
        Known({"x": 5.0, "c": "a"}, (25.0,)),
        Known({"x": 1.0, "c": "b"}, (1.0,)),
        Known({"x": 9.0, "c": "a"}, None),
    ]
    study = SkOptStudy(space, known, startup=3)
    study.insert({"x": 7.0, "c": "b"})
    study.propose(2)
    assert told == [([[0.5, 0], [0.1, 1], [0.9, 0], [0.7, 1]], [25.0, 1.0, 25.0, 1.0])]


@pytest.mark.parametrize("more", [{}, {"base_estimator": "RF", "acq_func": "PI"}])
def test_it_learns(more):
    engine = played(theirs(n_initial_points=6, **more), lambda c, _: (c["x"] - 2) ** 2 + c["deep"]["n"] / 50, 16)
    late = [trial.config for trial in engine.experiment.trials.values() if trial.number >= 8]
    assert sum(config["deep"]["n"] < 40 and abs(config["x"] - 2) < 0.5 for config in late) >= 5


@pytest.mark.parametrize(
    "more",
    [{"acq_func": "MES"}, {"base_estimator": ExtraTreesRegressor(n_estimators=5)}],
)
def test_chance_is_the_proposals_whoever_draws(more):
    """Be it the global generator's, or an estimator's of the user's."""
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002 (that it stays)
    configs = []
    for seed in (5, 5, 6):
        engine = played(theirs(n_initial_points=2, **more), lambda c, _: c["x"], 3, workers=1, seed=seed)
        configs.append([trial.config for trial in engine.experiment.trials.values()])
    assert configs[0] == configs[1] != configs[2]
    assert repr(np.random.get_state(legacy=False)) == before  # noqa: NPY002


@pytest.mark.parametrize("loss", [lambda c: 1.0, lambda c: 1e308 * (c["x"] - 0.5), lambda c: math.nan])
def test_values_that_teach_nothing(loss):
    engine = played(library(Space({"x": Float(0, 1), "y": Float(0, 1)})), lambda c, _: loss(c), 6)
    assert len({str(t.config) for t in engine.experiment.trials.values()}) == 6


def test_where_values_are_few_all_are_tried_before_one_comes_again():
    space = Space({"a": Categorical(range(3)), "b": Integer(1, 4)})
    engine = played(library(space, seed=3), lambda c, _: c["a"] * c["b"], 16, workers=4, seed=3)
    configs = [tuple(t.config.values()) for t in engine.experiment.trials.values()]
    assert len(set(configs[:12])) == 12 and len(configs) == 16


def test_trials_that_run_get_different_configs():
    engine = Engine(Limits(num_trials=12, seed=3), library(Space({"n": Integer(1, 12)}), seed=3), Fifo(), LOSS)
    World(engine, lambda c, _: c["n"], length=1, workers=12).run(until=0.0)
    assert sorted(t.config["n"] for t in engine.experiment.trials.values()) == list(range(1, 13))
