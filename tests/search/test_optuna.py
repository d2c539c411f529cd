"""Optuna as a searcher: the laws, and what it is told."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

import optuna
import pytest
from optuna.trial import TrialState

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Grid, Integer, Normal, Space
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.search.distinct import Distinct
from luthier.search.known import Known
from luthier.search.library import Library
from luthier.search.optuna import OptunaStudy
from luthier.search.optuna_space import Axes, Defined, converted
from luthier.search.stepped import Stepped
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract

LOSS = (Goal("loss", "min"),)
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "decay": Float(1e-3, 1.0, log=True, q=1e-3),
        "drop": Float(0.0, 0.9, q=0.1),
        "width": Integer(8, 512, log=True),
        "wide": Integer(8, 512, log=True, q=8),
        "units": Integer(5, 50, q=10),
        "shift": Normal(10, 2),
        "coarse": Normal(0, 2, q=0.5),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, 3.5])}]),
        "constant": 3,
    }
)


def library(space: Space, seed: int = 11, **more: Any) -> Any:
    return Library(Distinct(OptunaStudy(Axes(space), LOSS, seed, **more), space), seed)


def drawn(space, sampler=None, count=1500):
    study = OptunaStudy(Axes(space), LOSS, sampler=sampler or optuna.samplers.RandomSampler())
    return [study.propose(seed).config for seed in range(count)]


class TestMixed(SearcherContract):
    space = MIXED
    replayable = False

    def make(self):
        return library(MIXED)


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


class TestWide(SearcherContract):
    """200 axes, drawn at random: a model of 200 axes takes Optuna a second for each trial."""

    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})
    replayable = False

    def make(self):
        return library(self.space, sampler=optuna.samplers.TPESampler(n_startup_trials=1000))

    def test_exhausted_is_for_ever(self):
        """Waived: it never is, and 300 proposals of 200 axes take Optuna several seconds."""


class TestRetraced(SearcherContract):
    """A sampler with a state of its own is asked again when a log is replayed."""

    space = MIXED
    replayable = False
    # What is asked for and not tried moves the generation on: Optuna cannot take it back.
    waived: ClassVar = frozenset({"test_the_same_history_gives_the_same_answers", "test_ask_is_pure_in_every_phase"})

    def make(self):
        return library(MIXED, sampler=optuna.samplers.NSGAIISampler(population_size=8))


def two(trial):
    x = trial.suggest_float("x", 0, 1)
    kind = trial.suggest_categorical("model/kind", ["a", "b"])
    if kind == "a":
        trial.suggest_int("model/depth", 1, 5)
    return {"constant": [x > 2]}


class TestDefined(SearcherContract):
    replayable = False

    def make(self):
        return Library(OptunaStudy(Defined(two, {"c": 3}), LOSS, 11), 11)


def played(searcher, loss, trials=40, workers=2, scheduler=None, steps=1, seed=11, goals=LOSS, **world):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, scheduler or Fifo(), goals)
    World(engine, loss, length=steps, workers=workers, **world).run()
    return engine


def study_of(searcher):
    study = searcher.study.study if isinstance(searcher.study, Distinct) else searcher.study
    return study._study


def test_what_becomes_what():
    """Bounds, log-ness, quanta and integer-ness survive; what is drawn has our distribution."""
    configs = drawn(MIXED)
    assert all(config in MIXED for config in configs)
    medians = {key: sorted(c[key] for c in configs)[len(configs) // 2] for key in configs[0] if key != "model"}
    assert 10**-2.7 < medians["lr"] < 10**-2.3
    assert 0.02 < medians["decay"] < 0.05
    assert 0.4 <= medians["drop"] <= 0.5
    assert 50 < medians["width"] < 80 and 48 <= medians["wide"] <= 88
    assert medians["units"] == 30 and medians["constant"] == 3
    assert 9.8 < medians["shift"] < 10.2 and medians["coarse"] in (-0.5, 0.0, 0.5)
    spread = [(c["shift"] - 10) / 2 for c in configs]
    assert 0.63 < sum(abs(z) < 1 for z in spread) / len(spread) < 0.73
    trees = [c["model"] for c in configs if c["model"] != "linear"]
    assert 0.45 < len(trees) / len(configs) < 0.55
    assert {tree["depth"] for tree in trees} == set(range(1, 9))
    assert {tree["act"] for tree in trees} == {"relu", None, 3.5}
    assert {c["drop"] for c in configs} == {k / 10 for k in range(10)}
    assert {c["units"] for c in configs} == {10, 20, 30, 40, 50}


def test_distributions_keep_their_values():
    d = optuna.distributions
    given = {
        "a/b": d.FloatDistribution(0.5, 2.5, step=0.5),
        "a/c": d.IntDistribution(1, 9, step=4),
        "lr": d.FloatDistribution(1e-4, 1e-1, log=True),
        "n": d.IntDistribution(1, 100, log=True),
        "one": d.FloatDistribution(2.0, 2.0),
        "kind": d.CategoricalDistribution(["x", None]),
        "deep": {"m": d.IntDistribution(0, 3), "constant": [1, 2]},
    }
    space = converted(given)
    configs = drawn(space, count=400)
    assert {c["a"]["b"] for c in configs} == {0.5, 1.0, 1.5, 2.0, 2.5}
    assert {c["a"]["c"] for c in configs} == {1, 5, 9} and all(type(c["a"]["c"]) is int for c in configs)
    assert {c["kind"] for c in configs} == {"x", None}
    assert {c["deep"]["m"] for c in configs} == {0, 1, 2, 3} and configs[0]["deep"]["constant"] == [1, 2]
    assert {c["one"] for c in configs} == {2.0}
    walk = Axes(space)
    for name in ("a/b", "a/c", "lr", "n"):
        assert next(s.distribution for s in walk._scales if s.name == name) == given[name]
    with pytest.raises(BadArgument, match="space\\['x'\\]"):
        converted({"x": type("Odd", (), {"__module__": "optuna.odd"})()})


@pytest.mark.parametrize("domain", [Stepped(0.1, 1.0, 0.3), Stepped(-5, 7, 3, integer=True), Stepped(3, 3, 1)])
def test_steps_are_a_domain(domain):
    values = {domain.from_unit(u / 100) for u in range(101)}
    assert len(values) == domain.count
    assert all(value in domain and domain.from_unit(domain.to_unit(value)) == value for value in values)
    assert domain.lower + domain.step / 2 not in domain
    assert "x" not in domain


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match="'x'"):
        Axes(Space({"x": Grid([1, 2])}))


def test_what_optuna_is_told():
    """Values as they are, in the metric's own direction; failures, NaN and stopped trials by their names."""

    def loss(config, step):
        return {"acc": math.nan if config["x"] > 0.8 else config["x"] + step}

    goals = (Goal("acc", "max"),)
    searcher = Library(OptunaStudy(Axes(Space({"x": Float(0, 1)})), goals, 11), 11)
    engine = played(searcher, loss, 60, 4, Asha(max_t=4, reduction_factor=2), 4, goals=goals, failure_rate=0.05)
    study = study_of(searcher)
    assert [d.name for d in study.directions] == ["MAXIMIZE"]
    told = {round(trial.params["x"], 12): trial for trial in study.trials if trial.params}
    states = set()
    for trial in engine.experiment.trials.values():
        theirs = told[round(trial.config["x"], 12)]
        if trial.status.name == "FAILED" or trial.config["x"] > 0.8:
            assert theirs.state is TrialState.FAIL
        elif trial.status.name == "DONE" or theirs.state is TrialState.COMPLETE:
            assert theirs.values == [trial.metrics["acc"]]
            assert trial.seq == 3
        else:
            assert theirs.state is TrialState.PRUNED
            assert theirs.intermediate_values == {k: trial.config["x"] + k for k in range(1, trial.seq + 2)}
        states.add(theirs.state)
    assert states == {TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED}
    assert len(study.trials) == 60  # none was proposed twice


def test_it_learns():
    searcher = library(MIXED)
    engine = played(searcher, lambda c, _: (c["shift"] - 12) ** 2 + c["drop"], 60)
    late = [t.score for t in engine.experiment.trials.values() if t.number >= 40]
    early = [t.score for t in engine.experiment.trials.values() if t.number < 10]
    assert sorted(late)[10] < sorted(early)[5] / 2


def test_several_goals():
    goals = (Goal("loss", "min"), Goal("size", "max"))
    space = Space({"x": Float(0, 1), "y": Float(0, 1)})
    searcher = Library(OptunaStudy(Axes(space), goals, 11), 11)
    played(searcher, lambda c, _: {"loss": c["x"] + c["y"], "size": c["x"] - c["y"]}, 40, goals=goals)
    study = study_of(searcher)
    assert all(t.state is TrialState.COMPLETE and len(t.values) == 2 for t in study.trials)
    late = sorted(t.params["y"] for t in study.trials[20:])
    assert late[10] < 0.3


def test_running_trials_get_different_configs_even_where_there_are_few():
    space = Space({"a": Categorical(range(3)), "b": Integer(1, 4)})
    searcher = library(space, seed=3)
    engine = Engine(Limits(num_trials=12, seed=3), searcher, Fifo(), LOSS)
    World(engine, lambda c, _: c["a"] * c["b"], length=1, workers=12).run(until=0.0)
    configs = [tuple(t.config.values()) for t in engine.experiment.trials.values()]
    assert len(configs) == len(set(configs)) == 12


def test_what_is_known_counts_from_the_start():
    space = Space({"x": Float(0, 1)})
    known = [Known({"x": x / 20}, (abs(x / 20 - 0.8),)) for x in range(20)] + [Known({"x": 0.1}, None)]
    searcher = library(space, known=known)
    xs = [searcher.ask(0, rng_at(5, number))["x"] for number in range(9)]
    assert 0.7 < sorted(xs)[4] < 0.9
    assert [t.state.name for t in study_of(searcher).trials[:21]] == ["COMPLETE"] * 20 + ["FAIL"]


def test_what_is_known_to_be_cut_short_is_pruned():
    searcher = library(Space({"x": Float(0, 1)}), known=[Known({"x": 0.25}, (2.0,), 9.0)])
    searcher.ask(0, rng_at(5, 0))
    (trial, _) = study_of(searcher).trials
    assert (trial.state, trial.intermediate_values) == (TrialState.PRUNED, {9: 2.0})


def test_a_storage_has_each_trial_once(tmp_path):
    """Also after a replay, and a driver that was killed between a proposal and its trial."""
    url = f"sqlite:///{tmp_path}/study.db"
    space = Space({"x": Float(0, 1), "m": Categorical(["a", {"d": Integer(1, 5)}])})

    def make():
        return Engine(Limits(num_trials=30, seed=11), library(space, storage=url, name="mine"), Fifo(), LOSS)

    engine = make()
    world = World(engine, lambda c, _: c["x"], length=2, workers=2)
    world.run(until=0.0)
    world.run(reports=21)
    engine.searcher.ask(len(engine.experiment), rng_at(11, 999))  # a proposal that nobody hears of
    world.engine = Engine.replay(make, world.log)
    world.run()
    trials = optuna.load_study(study_name="mine", storage=url).trials
    good = [t for t in trials if t.state is TrialState.COMPLETE]
    assert len(good) == 30 and len(trials) <= 31
    assert [t.state for t in trials if t.state is not TrialState.COMPLETE] in ([], [TrialState.FAIL])
    ours = sorted(t.config["x"] for t in world.engine.experiment.trials.values())
    assert [round(x, 9) for x in sorted(t.params["x"] for t in good)] == [round(x, 9) for x in ours]


def test_a_sampler_that_has_walked_all_says_so():
    space = Space({"x": Integer(0, 2), "y": Categorical(["a", "b"])})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        brute = optuna.samplers.BruteForceSampler()
    for sampler in (optuna.samplers.GridSampler({"x": [0, 1, 2], "y": ["a", "b"]}), brute):
        searcher = Library(OptunaStudy(Axes(space), LOSS, 3, sampler=sampler), 3)
        engine = played(searcher, lambda c, _: c["x"], 50, workers=1, seed=3)
        assert engine.experiment.exhausted
        assert {tuple(t.config.values()) for t in engine.experiment.trials.values()} == {
            (x, y) for x in range(3) for y in "ab"
        }
        assert searcher.ask(50, rng_at(3, 50)) is Nothing.EXHAUSTED
