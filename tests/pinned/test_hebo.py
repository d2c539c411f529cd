"""HEBOSearch: the laws, its conversions, what it is told, and how users have it.

A proposal of its model takes HEBO two seconds and more, so there are few of them here: most tests see its quasi-random
points, which depend on the record just as much.
"""

from __future__ import annotations

import copy
import random
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from luthier import tune
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Grid, Integer, Normal, Space
from luthier.schedulers.fifo import Fifo
from luthier.search.distinct import Distinct
from luthier.search.hebo import HeboStudy
from luthier.search.hebo_space import Columns, converted
from luthier.search.known import Known
from luthier.search.library import Library
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract
from luthier.tune.search.hebo import HEBOSearch, alone
from luthier.tune.searching import create_searcher
from tests.pinned.killing import killed_in_the_middle, restored

with alone(0):  # its dependencies import what is outdated
    from hebo.design_space.design_space import DesignSpace

LOSS = (Goal("loss", "min"),)
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "decay": Float(1e-3, 1.0, log=True, q=1e-3),
        "drop": Float(0.0, 0.9, q=0.1),
        "width": Integer(8, 512, log=True),
        "units": Integer(5, 50, q=10),
        "shift": Normal(10, 2),
        "only": Categorical([{"inside": Integer(1, 3)}]),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, [3]])}]),
        "constant": 3,
    }
)
DESIGN = [
    {"name": "num", "type": "num", "lb": -2, "ub": 3},
    {"name": "deep/pow", "type": "pow", "lb": 1e-4, "ub": 1e-1},
    {"name": "deep/int", "type": "int", "lb": 3, "ub": 7},
    {"name": "pow_int", "type": "pow_int", "lb": 1, "ub": 100},
    {"name": "exponent", "type": "int_exponent", "lb": 32, "ub": 256, "base": 2},
    {"name": "step", "type": "step_int", "lb": 1, "ub": 9, "step": 4},
    {"name": "flag", "type": "bool"},
    {"name": "cat", "type": "cat", "categories": ["a", None, 1]},
]
SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}


@pytest.fixture
def _short(monkeypatch):
    """A twentieth of the evolution that looks for the best point of a model, which is most of a proposal's time."""
    from hebo.optimizers import hebo

    whole = hebo.EvolutionOpt
    monkeypatch.setattr(hebo, "EvolutionOpt", lambda *found, **named: whole(*found, **{**named, "iters": 5}))


def library(space: Space, seed: int = 11, known=(), **arguments: Any) -> Any:
    return Library(Distinct(HeboStudy(Columns(space), alone, known, seed, arguments), space), seed)


def study(space: Space, known=(), **arguments: Any) -> Any:
    return HeboStudy(Columns(space), alone, known, 11, arguments)


class Contract(SearcherContract):
    """Over HEBO's quasi-random points."""

    replayable = False


class TestMixed(Contract):
    space = MIXED

    def make(self):
        return library(MIXED, rand_sample=1000)


class TestTheirs(Contract):
    space = converted(DesignSpace().parse(DESIGN))

    def make(self):
        return library(self.space, rand_sample=1000)


class TestOnePoint(Contract):
    space = Space({"x": 3})
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})  # one config

    def make(self):
        return library(self.space)


class TestOneOption(Contract):
    space = Space({"x": Categorical([5]), "y": Integer(2, 2), "z": Integer(1, 2)})

    def make(self):
        return library(self.space, rand_sample=1000)


class TestWide(Contract):
    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})
    most = 10

    def make(self):
        return library(self.space, rand_sample=1000)

    def test_exhausted_is_for_ever(self):
        """Of 20 numbers, not 300: it never is."""
        searcher = self.make()
        assert all(isinstance(searcher.ask(number, rng_at(0, number)), dict) for number in range(20))


def drawn(space, count=400):
    found = study(space, rand_sample=10000)
    return [found.propose(seed).config for seed in range(count)]


def test_what_becomes_what():
    """Bounds, log-ness, quanta and integer-ness survive; what is drawn has our distribution."""
    configs = drawn(MIXED)
    assert all(config in MIXED for config in configs)
    medians = {key: sorted(c[key] for c in configs)[200] for key in ("lr", "decay", "width", "shift")}
    assert 10**-2.7 < medians["lr"] < 10**-2.3 and 0.02 < medians["decay"] < 0.05
    assert 52 < medians["width"] < 78 and 9.6 < medians["shift"] < 10.4
    assert {c["units"] for c in configs} == {10, 20, 30, 40, 50} and len({c["drop"] for c in configs}) == 10
    assert {c["only"]["inside"] for c in configs} == {1, 2, 3}
    trees = [c["model"] for c in configs if c["model"] != "linear"]
    assert 0.4 < len(trees) / len(configs) < 0.6
    assert {tree["depth"] for tree in trees} == set(range(1, 9))
    assert [3] in [tree["act"] for tree in trees] and None in [tree["act"] for tree in trees]
    design = Columns(MIXED).design()
    assert [type(design.paras[name]).__name__ for name in ("0", "4", "8", "9")] == [
        "NumericPara", "IntegerPara", "CategoricalPara", "IntegerPara",
    ]  # fmt: skip


def test_every_type_of_theirs():
    space = converted(DesignSpace().parse(DESIGN))
    configs = drawn(space)
    assert all(config in space for config in configs)
    assert all(-2 <= c["num"] <= 3 and 1e-4 <= c["deep"]["pow"] <= 0.1 for c in configs)
    assert 10**-2.7 < sorted(c["deep"]["pow"] for c in configs)[200] < 10**-2.3
    assert {c["deep"]["int"] for c in configs} == {3, 4, 5, 6, 7}
    assert {c["exponent"] for c in configs} == {32, 64, 128, 256} and {c["step"] for c in configs} == {1, 5, 9}
    assert 7 <= sorted(c["pow_int"] for c in configs)[200] <= 14
    assert {c["flag"] for c in configs} == {True, False} and {c["cat"] for c in configs} == {"a", None, 1}
    assert {type(c["pow_int"]) for c in configs} == {type(c["step"]) for c in configs} == {int}
    for config in configs[:50]:
        again = space.decode(space.encode(config), rng_at(0))
        assert again["deep"]["pow"] == pytest.approx(config["deep"]["pow"])
        assert again["num"] == pytest.approx(config["num"])
        assert {**again, "deep": 0, "num": 0} == {**config, "deep": 0, "num": 0}


def what_is_shared():
    numbers = np.random.get_state()[1].tolist()  # noqa: NPY002 (it is what is looked at)
    return random.getstate(), numbers, torch.get_rng_state().tolist(), torch.get_num_threads()


@pytest.mark.usefixtures("_short")
def test_what_hebo_is_told():
    """Failures as the worst score, running trials as the best; nothing that everybody shares is touched."""
    space = Space({"x": Float(0, 1), "n": Integer(1, 4), "c": Categorical(["a", "b"])})
    found = study(space, [Known({"x": 0.1, "n": 1, "c": "a"}, (1.0,)), Known({"x": 0.2, "n": 2, "c": "b"}, (5.0,))])
    found.settle(found.insert({"x": 0.3, "n": 3, "c": "a"}), None, stopped=False)
    found.insert({"x": 0.4, "n": 4, "c": "b"})
    found.settle(found.insert({"x": 0.5, "n": 4, "c": "b"}), (2.0,), stopped=True)
    shared = what_is_shared()
    config = found.propose(3).config
    assert config in space and config["x"] not in (0.1, 0.2, 0.3, 0.4, 0.5)
    assert found.optimizer.X.sort_values("0").to_numpy().tolist() == [
        [0.1, 0, 0], [0.2, 1, 1], [0.3, 2, 0], [0.4, 3, 1], [0.5, 3, 1],
    ]  # fmt: skip
    assert found.optimizer.y.ravel().tolist() == [1.0, 5.0, 5.0, 1.0, 2.0]
    assert shared == what_is_shared()


def test_its_model_learns():
    """Few proposals, for the time that they take."""
    known = [Known({"x": x / 12, "y": y / 3}, (abs(x / 12 - 0.7) + y,)) for x in range(13) for y in range(2)]
    found = study(Space({"x": Float(0, 1), "y": Float(0, 1)}), known)
    config = found.propose(1).config
    assert abs(config["x"] - 0.7) < 0.35 and config["y"] < 0.5


@pytest.mark.usefixtures("_short")
def test_scores_that_are_all_alike():
    found = study(Space({"n": Integer(1, 3)}), [Known({"n": n}, (0.0,)) for n in (1, 2, 3)], rand_sample=2)
    assert found.propose(1).config["n"] in (1, 2, 3)


def test_running_trials_get_different_configs_even_where_there_are_few():
    space = Space({"a": Categorical(range(3)), "b": Integer(1, 4)})
    engine = Engine(Limits(num_trials=11, seed=3), library(space, seed=3, rand_sample=50), Fifo(), LOSS)
    World(engine, lambda c, _: c["a"] * c["b"], length=1, workers=11).run(until=0.0)
    configs = [tuple(t.config.values()) for t in engine.experiment.trials.values()]
    assert len(configs) == len(set(configs)) == 11


# -- as users have it ----------------------------------------------------------------------------------------------
def search(**more: Any) -> Any:
    arguments: dict[str, Any] = {"space": SPACE, "metric": "loss", "mode": "min", "random_state_seed": 7}
    return HEBOSearch(**(arguments | {"rand_sample": 50} | more))


def design():
    return DesignSpace().parse([{"name": "x", "type": "num", "lb": 0, "ub": 1}, *DESIGN[1:]])


def driven(searcher, trials=12):
    configs = []
    for k in range(trials):
        configs.append(searcher.suggest(f"t{k}"))
        searcher.on_trial_complete(f"t{k}", {"loss": configs[-1]["x"]}, error=k % 5 == 4)
    return configs


def fit(tmp_path, param_space=None, **tuning):
    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline")
    return tune.Tuner(train, param_space=param_space, tune_config=tune.TuneConfig(**tuning), run_config=run).fit()


def train(config):
    tune.report({"loss": (config["x"] - 0.3) ** 2})


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("search_alg", ["hebo", HEBOSearch(rand_sample=2)])
def test_a_tuner_takes_it(tmp_path, search_alg):
    grid = fit(tmp_path, SPACE, metric="loss", mode="min", num_samples=3, search_alg=search_alg, seed=1)
    assert len(grid) == 3 and not grid.errors


def test_a_space_of_theirs(tmp_path):
    grid = fit(tmp_path, {"constant": 3}, num_samples=8, search_alg=search(space=design()))
    assert all(r.config["constant"] == 3 and 0 <= r.config["x"] <= 1 and "pow" in r.config["deep"] for r in grid)


@pytest.mark.parametrize("space", [SPACE, design()])
def test_driven_by_hand_it_is_repeatable_and_can_be_saved(tmp_path, space):
    one, two = search(space=space), search(space=space)
    first = driven(one)
    assert first == driven(search(space=space)) == driven(copy.deepcopy(one))
    assert first != driven(search(space=space, random_state_seed=8))
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"new{k}") for k in range(4)] == [two.suggest(f"new{k}") for k in range(4)]


@pytest.mark.usefixtures("_short")
def test_the_model_too_is_repeatable(tmp_path):
    one, two = search(rand_sample=2), search(rand_sample=2)
    driven(one, 3)
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert one.suggest("new") == two.suggest("new")


def test_no_more_at_a_time_than_was_said():
    searcher = search(max_concurrent=2)
    assert searcher.suggest("a") and searcher.suggest("b") and searcher.suggest("c") is None
    searcher.on_trial_complete("a", {"loss": 1.0})
    assert searcher.suggest("c") and searcher.suggest("d") is None


def test_points_go_first_and_known_ones_are_not_tried_again():
    point = {"x": 0.25, "model": {"depth": 3}}
    assert search(points_to_evaluate=[point]).suggest("t") == point
    known: list[Any] = [{"x": k / 10, "model": "a"} for k in range(11)]
    searcher = search(points_to_evaluate=known, evaluated_rewards=[abs(p["x"] - 0.8) for p in known])
    searcher.add_evaluated_point({"x": 0.82, "model": "a"}, 0.01)
    assert searcher.suggest("t") not in known
    assert len(searcher._direct.searcher.study.study.entries) == 13
    with pytest.raises(BadArgument, match="points_to_evaluate"):
        search(points_to_evaluate=[{"y": 1}]).suggest("t")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"max_concurrent": 0}, "max_concurrent"),
        ({"max_concurrent": 1.5}, "max_concurrent"),
        ({"ran_sample": 3}, "rand_sample"),
        ({"space": [1]}, "space"),
        ({"space": {"x": tune.grid_search([1, 2])}}, "'x'"),
        ({"metric": ["loss", "size"], "mode": ["min", "min"]}, "metric"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments).suggest("t")


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match="'x'"):
        Columns(Space({"x": Grid([1, 2])}))


def test_by_its_name():
    assert isinstance(create_searcher("hebo"), HEBOSearch)


def test_killed_and_restored_each_trial_ends_once(tmp_path):
    imports = "from luthier.tune.search.hebo import HEBOSearch"
    grid = restored(killed_in_the_middle(tmp_path, imports, "HEBOSearch(rand_sample=50)"))
    assert len({r.config["x"] for r in grid}) == 24
