"""HyperOpt as a searcher: the laws, its distributions, and what it is told."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import hyperopt
import numpy as np
import pytest
from hyperopt import hp
from hyperopt.pyll import scope

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Grid, Integer, Normal, Space
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.search.distinct import Distinct
from luthier.search.hp import Hp, HpChoice
from luthier.search.hyperopt import HyperOptStudy
from luthier.search.hyperopt_space import ROOT, Knobs, converted
from luthier.search.known import Known
from luthier.search.library import Library
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
        "coarse": Normal(0, 2, q=0.5),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, [3]])}]),
        "constant": 3,
    }
)
SHARED = hp.uniform("shared", -1, 1)
# All twelve; nested, conditional, and with one hyperparameter under two options.
TWELVE: dict[str, Any] = {
    "kind": hp.choice("kind", [{"a": SHARED, "list": [1, hp.randint("two", 2)]}, {"a": SHARED, "t": (1, "x")}, None]),
    "weighted": hp.pchoice("weighted", [(0.1, "rare"), (0.9, hp.normal("inner", 5, 0.5))]),
    "randint": hp.randint("randint", 7),
    "between": hp.randint("between", 3, 9),
    "uniform": hp.uniform("uniform", -2, 3),
    "uniformint": hp.uniformint("uniformint", 1, 5),
    "quniform": hp.quniform("quniform", 0.3, 9.6, 0.5),
    "cast": scope.int(hp.quniform("cast", 2, 11, 3)),
    "cut": scope.int(hp.uniform("cut", 0, 4)),
    "loguniform": hp.loguniform("loguniform", -7, 1),
    "qloguniform": hp.qloguniform("qloguniform", -1, 3, 0.5),
    "normal": hp.normal("normal", 3, 2),
    "qnormal": hp.qnormal("qnormal", 0, 2, 0.5),
    "lognormal": hp.lognormal("lognormal", -1, 0.7),
    "qlognormal": hp.qlognormal("qlognormal", 1, 0.7, 2),
    "constant": {"c": [1, {"d": 2}]},
}


def library(space: Space, seed: int = 11, **more: Any) -> Any:
    return Library(Distinct(HyperOptStudy(space, **more), space), seed)


class Contract(SearcherContract):
    replayable = False

    def test_exhausted_is_for_ever(self):
        """Of 30 numbers, not 300: a proposal takes HyperOpt 30 ms and more."""
        searcher = self.make()
        assert all(isinstance(searcher.ask(number, rng_at(0, number)), dict) for number in range(30))


class TestMixed(Contract):
    space = MIXED

    def make(self):
        return library(MIXED, startup=5)


class TestTwelve(Contract):
    space = converted(TWELVE)

    def make(self):
        return library(self.space, startup=5)


class TestOnePoint(Contract):
    space = Space({"x": 3})
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})  # one config

    def make(self):
        return library(self.space)


class TestOneOption(Contract):
    space = Space({"x": Categorical([5]), "y": Integer(2, 2)})

    def make(self):
        return library(self.space, startup=3)


class TestWide(Contract):
    """200 axes, drawn at random: a model of 200 axes takes HyperOpt a second for each trial."""

    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})
    # Dozens of runs take HyperOpt a minute where there are so many axes; smaller spaces show that they go well.
    waived: ClassVar = frozenset(
        {
            "test_a_restart_changes_nothing",
            "test_the_same_history_gives_the_same_answers",
            "test_the_seed_matters_and_concurrency_only_to_those_who_learn",
        }
    )

    def make(self):
        return library(self.space, startup=1000)


def played(searcher, loss, trials=40, workers=2, scheduler=None, steps=1, seed=11, **world):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, scheduler or Fifo(), LOSS)
    World(engine, loss, length=steps, workers=workers, **world).run()
    return engine


def drawn(space, count):
    study = HyperOptStudy(space)
    tokens = []
    for seed in range(count):
        tokens.append(study.propose(seed))
        study.withdraw(tokens[-1].token)
    return [token.config for token in tokens]


def alike(ours, theirs):
    """Whether two samples have one distribution, by the Kolmogorov-Smirnov distance (at 1 in 1e6)."""
    values = np.unique(np.concatenate([ours, theirs]))
    distance = np.abs(
        np.searchsorted(np.sort(ours), values, "right") / len(ours)
        - np.searchsorted(np.sort(theirs), values, "right") / len(theirs)
    ).max()
    return distance < math.sqrt(-math.log(1e-6 / 2) / 2 * (1 / len(ours) + 1 / len(theirs)))


def test_every_distribution_is_hyperopts_own():
    """Values of ours and of HyperOpt's own sampler, one beside the other."""
    space, generator = converted(TWELVE), np.random.default_rng(3)
    theirs = [hyperopt.pyll.stochastic.sample(TWELVE, generator) for _ in range(1500)]
    ours = [space.sample(rng_at(5, k)) for k in range(1500)]
    asked = drawn(space, 300)
    for name in TWELVE:
        if name in ("kind", "weighted", "constant"):
            continue
        assert alike([c[name] for c in ours], [c[name] for c in theirs]), name
        assert alike([c[name] for c in asked], [c[name] for c in theirs]), name
        assert {type(c[name]) for c in asked} <= {int if type(theirs[0][name]) is int else float}, name
    for configs in (ours, asked):
        assert 0.06 < sum(c["weighted"] == "rare" for c in configs) / len(configs) < 0.14
        kinds = [c["kind"] for c in configs]
        assert 0.25 < sum(kind is None for kind in kinds) / len(kinds) < 0.42
        assert {kind["t"] for kind in kinds if kind and "t" in kind} == {(1, "x")}
        assert {tuple(kind["list"]) for kind in kinds if kind and "list" in kind} == {(1, 0), (1, 1)}
        assert all(c["constant"] == {"c": [1, {"d": 2}]} and c in space for c in configs)


def test_values_lead_back():
    """from_unit(to_unit(v)) == v: what HyperOpt hears in a replay is what it said."""
    space = converted(TWELVE)
    for k in range(300):
        config = space.sample(rng_at(1, k))
        again = space.decode(space.encode(config))
        for name, value in config.items():
            close = pytest.approx(value, rel=1e-6) if isinstance(value, float) else value
            assert name == "kind" or again[name] == close, name


def test_what_becomes_what_of_ours():
    configs = drawn(MIXED, 500)
    assert all(config in MIXED for config in configs)
    ours = [MIXED.sample(rng_at(9, k)) for k in range(1500)]
    for name in ("lr", "decay", "drop", "width", "units", "shift", "coarse"):
        assert alike([c[name] for c in configs], [c[name] for c in ours]), name
    trees = [c["model"] for c in configs if c["model"] != "linear"]
    assert 0.45 < len(trees) / len(configs) < 0.55
    assert {tree["depth"] for tree in trees} == set(range(1, 9))
    assert [3] in [tree["act"] for tree in trees]
    kinds = {knob.label: knob.kind for knob in Knobs(MIXED).knobs}
    assert kinds == {
        "lr": "loguniform", "decay": "qloguniform", "drop": "quniform", "width": "uniform", "units": "quniform",
        "shift": "normal", "coarse": "qnormal", "model": "randint", "model[1]/depth": "quniform",
        "model[1]/act": "randint",
    }  # fmt: skip


def test_a_hyperparameter_under_two_options_is_one():
    study = HyperOptStudy(converted(TWELVE))
    assert list(study.domain.params).count("shared") == 1
    assert len([axis for axis in study.knobs.space.axes if axis.name.endswith("/a")]) == 2


@pytest.mark.parametrize(
    ("space", "named"),
    [
        ({"x": hp.uniform("x", 0, 1), "y": hp.uniform("x", 0, 2)}, "label"),
        ({"x": hp.uniform("x", 0, 1) * 2}, "mul"),
        ({"x": scope.int(hp.uniform("x", 0, 1) + 1)}, "add"),
        ({"x": hp.pchoice("x", [(0.5, 1), (0.6, 2)])}, "sum up to 1"),
        ({"x": hp.normal("x", 0, -1)}, "sigma"),
        ({"x": hp.uniform("x", 0, 0)}, "high"),
        (hp.choice("x", [1, 2]), "configs are dicts"),
        (hp.uniform("x", 0, 1), "configs are dicts"),
    ],
)
def test_what_cannot_be_said_is_refused(space, named):
    with pytest.raises((BadArgument, ValueError), match=named):
        converted(space)


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match="'x'"):
        Knobs(Space({"x": Grid([1, 2])}))


def test_domains_say_what_they_hold():
    assert 2.5 in Hp("x", "quniform", (0, 5, 0.5)) and 2.4 not in Hp("x", "quniform", (0, 5, 0.5))
    assert 3 in Hp("x", "randint", (0, 5)) and 5 not in Hp("x", "randint", (0, 5))
    assert 6.0 in Hp("x", "uniform", (0, 6)) and 6.1 not in Hp("x", "uniform", (0, 6))
    assert 0.5 in Hp("x", "lognormal", (0, 1)) and -0.5 not in Hp("x", "lognormal", (0, 1))
    assert Hp("x", "normal", (0, 1)) == Hp("x", "normal", (0, 1)) != Hp("y", "normal", (0, 1))
    choice = HpChoice("c", ["never", "a", "never either", "b"], [0, 0.5, 0, 0.5])
    assert {choice.from_unit(u / 50) for u in range(51)} == {"a", "b"}


def test_what_hyperopt_is_told():
    def loss(config, step):
        return math.nan if config["x"] > 0.8 else config["x"] + 1 / step

    searcher = library(Space({"x": Float(0, 1)}))
    engine = played(searcher, loss, 40, 4, Asha(max_t=4, reduction_factor=2), 4, failure_rate=0.05)
    documents = searcher.study.study.trials.trials
    assert len(documents) == 40  # none was proposed twice
    told = {document["misc"]["vals"]["x"][0]: document["result"] for document in documents}
    for trial in engine.experiment.trials.values():
        failed = trial.status.name == "FAILED" or trial.config["x"] > 0.8
        assert told[trial.config["x"]].get("loss") == (None if failed else trial.metrics["loss"])
        assert told[trial.config["x"]]["status"] == ("fail" if failed else "ok")


def test_it_learns_in_a_conditional_space():
    searcher = library(MIXED, startup=10)
    engine = played(searcher, lambda c, _: (c["shift"] - 12) ** 2 + 5 * (c["model"] == "linear"), 60)
    trials = list(engine.experiment.trials.values())
    early, late = (sorted(t.score for t in part) for part in (trials[:10], trials[40:]))
    assert late[10] < early[5] / 2


def test_running_trials_get_different_configs_even_where_there_are_few():
    space = Space({"a": Categorical(range(3)), "b": Integer(1, 4)})
    searcher = library(space, seed=3, startup=2)
    engine = Engine(Limits(num_trials=12, seed=3), searcher, Fifo(), LOSS)
    World(engine, lambda c, _: c["a"] * c["b"], length=1, workers=12).run(until=0.0)
    configs = [tuple(t.config.values()) for t in engine.experiment.trials.values()]
    assert len(configs) == len(set(configs)) == 12


def test_what_is_known_counts_from_the_start():
    space = Space({"x": Float(0, 1)})
    known = [Known({"x": x / 20}, (abs(x / 20 - 0.8),)) for x in range(20)] + [Known({"x": 0.1}, None)]
    study = HyperOptStudy(space, known)
    xs = sorted(study.propose(number).config["x"] for number in range(9))
    assert 0.6 < xs[4] < 1.0


def test_a_choice_at_the_top():
    space = converted(hp.choice("root", [{"kind": "a", "x": SHARED}, {"kind": "b", "y": hp.randint("y", 4)}]))
    searcher: Any = Library(HyperOptStudy(space, root=True), 11)
    engine = played(searcher, lambda c, _: c.get("x", 5), 40)
    assert all({ROOT: trial.config} in space for trial in engine.experiment.trials.values())
    assert {t.config["kind"] for t in engine.experiment.trials.values()} == {"a", "b"}
    assert len(searcher.study.trials.trials) == 40
