"""NevergradSearch: the laws, its conversions, what it is told, and how users have it."""

from __future__ import annotations

import copy
import math
import subprocess
import sys
from typing import Any, ClassVar

import nevergrad as ng
import pytest

from luthier import tune
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Grid, Integer, Normal, Space
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.search.known import Known
from luthier.search.library import Library
from luthier.search.nevergrad import NevergradStudy
from luthier.search.nevergrad_space import Axes
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract
from luthier.tune.search.nevergrad import NevergradSearch
from luthier.tune.searching import create_searcher
from tests.pinned.killing import killed_in_the_middle, restored

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
        "many": Categorical(range(5000)),
        "only": Categorical([{"inside": Integer(1, 3)}]),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, [3]])}]),
        "constant": 3,
    }
)
SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}


def study(space, optimizer="OnePlusOne", known=(), seed=11, **more: Any) -> Any:
    make = ng.optimizers.registry[optimizer]
    return NevergradStudy(Axes(space), lambda p: make(p, **({"budget": 100, "num_workers": 2} | more)), seed, known)


def library(space: Space, optimizer="OnePlusOne", seed: int = 11, **more: Any) -> Any:
    found = study(space, optimizer, seed=seed, **more)
    return Library(found, seed, most=1 if found.sequential else None)


class Contract(SearcherContract):
    replayable = False
    most = 20

    def test_exhausted_is_for_ever(self):
        """Of 20 numbers, not 300: it never is."""
        searcher = self.make()
        assert all(isinstance(searcher.ask(number, rng_at(0, number)), dict) for number in range(20))


class TestMixed(Contract):
    space = MIXED

    def make(self):
        return library(MIXED)


class TestPopulation(Contract):
    space = Space({"x": Float(0, 1), "n": Integer(1, 9)})

    def make(self):
        return library(self.space, "TwoPointsDE")


class TestOnePoint(Contract):
    space = Space({"x": 3})
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})  # one config

    def make(self):
        return library(self.space)


class TestOneOption(Contract):
    space = Space({"x": Categorical([5]), "y": Integer(2, 2), "z": Integer(1, 2)})

    def make(self):
        return library(self.space)


class TestWide(Contract):
    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})
    most = 2  # a proposal of 200 axes takes Nevergrad a tenth of a second
    # Dozens of runs take Nevergrad a minute where there are so many axes; smaller spaces show that they go well.
    waived: ClassVar = frozenset(
        {
            "test_a_restart_changes_nothing",
            "test_the_same_history_gives_the_same_answers",
            "test_the_seed_matters_and_concurrency_only_to_those_who_learn",
        }
    )

    def make(self):
        return library(self.space)

    def test_exhausted_is_for_ever(self):
        """Of 3 numbers, for the time it takes."""
        searcher = self.make()
        assert all(isinstance(searcher.ask(number, rng_at(0, number)), dict) for number in range(3))

    def test_a_kind_world_ends(self):
        """With 6 trials, for the time it takes."""
        engine, world = self._played(0, num_trials=6)
        world.run()
        assert engine.finished and len(engine.experiment) == 6


def played(searcher, loss, trials=40, workers=2, scheduler=None, steps=1, seed=11, goals=LOSS, **world):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, scheduler or Fifo(), goals)
    World(engine, loss, length=steps, workers=workers, **world).run()
    return engine


def test_what_becomes_what():
    """Bounds, log-ness, quanta and integer-ness survive; what is drawn at random has our distribution."""
    walk = Axes(MIXED)
    walk.parametrization.random_state.seed(3)
    configs = [walk.config(walk.parametrization.sample(), rng_at(k)) for k in range(400)]
    assert all(config in MIXED for config in configs)
    medians = {key: sorted(c[key] for c in configs)[200] for key in ("lr", "decay", "width", "shift", "coarse", "many")}
    assert 10**-2.8 < medians["lr"] < 10**-2.2 and 0.018 < medians["decay"] < 0.06
    assert 45 < medians["width"] < 90 and 9.4 < medians["shift"] < 10.6 and abs(medians["coarse"]) <= 0.5
    assert 1800 < medians["many"] < 3200
    counts = {value: sum(c["units"] == value for c in configs) for value in (10, 20, 30, 40, 50)}
    assert sum(counts.values()) == 400 and all(50 < count < 115 for count in counts.values()), counts
    assert len({c["drop"] for c in configs}) == 10
    assert {c["only"]["inside"] for c in configs} == {1, 2, 3}
    trees = [c["model"] for c in configs if c["model"] != "linear"]
    assert 0.4 < len(trees) / len(configs) < 0.6
    assert {tree["depth"] for tree in trees} == set(range(1, 9))
    assert [3] in [tree["act"] for tree in trees] and None in [tree["act"] for tree in trees]
    p: Any = walk.parametrization
    kinds = {axis.name: type(p[str(axis.number)]).__name__ for axis in MIXED.axes if str(axis.number) in p}
    assert kinds["model"] == "Choice" and kinds["lr"] == "Scalar" and p["4"].integer and p["7"].integer
    assert "model[1]/depth" not in kinds  # it is under the choice


def test_values_lead_back():
    walk = Axes(MIXED)
    for k in range(100):
        config = MIXED.sample(rng_at(1, k))
        again = walk.config(walk.candidate(config), rng_at(0))
        for name, value in config.items():
            if isinstance(value, float):  # a normal one is cut off at three sds
                value = pytest.approx(value, rel=1e-6, abs=0.5 if name in ("shift", "coarse") else 0)  # noqa: PLW2901
            assert again[name] == value, name
    assert walk.candidate({"lr": 1}) is None


def test_what_nevergrad_is_told():
    found = study(Space({"x": Float(0, 1)}), "RandomSearch")
    told = []
    found.optimizer.register_callback("tell", lambda _, candidate, loss: told.append((candidate.value["0"], loss)))

    def loss(config, step):
        return math.nan if config["x"] > 0.8 else config["x"] + 1 / step

    asha = Asha(max_t=4, reduction_factor=2)
    engine = played(Library(found, 11), loss, 40, 4, asha, 4, failure_rate=0.05)
    assert len(told) == 40  # none was proposed twice, and failures are told, too
    values, worst = dict(told), {max(loss for _, loss in told[: k + 1]) for k in range(40)}
    failures = 0
    for trial in engine.experiment.trials.values():
        if trial.status.name == "FAILED" or trial.config["x"] > 0.8:
            failures += 1
            assert values[trial.config["x"]] in worst
        else:
            assert values[trial.config["x"]] == trial.metrics["loss"]
    assert failures > 4


@pytest.mark.parametrize("optimizer", ["NGOpt", "CMA"])
def test_it_learns_in_a_conditional_space(optimizer):
    engine = played(library(MIXED, optimizer), lambda c, _: (c["shift"] - 12) ** 2 + 5 * (c["model"] == "linear"), 60)
    trials = list(engine.experiment.trials.values())
    early, late = (sorted(t.score for t in part) for part in (trials[:10], trials[40:]))
    assert late[10] < early[5] / 2


def test_running_trials_get_different_configs_even_where_there_are_few():
    space = Space({"a": Categorical(range(3)), "b": Integer(1, 4)})
    engine = Engine(Limits(num_trials=12, seed=3), library(space, seed=3), Fifo(), LOSS)
    World(engine, lambda c, _: c["a"] * c["b"], length=1, workers=12).run(until=0.0)
    configs = [tuple(t.config.values()) for t in engine.experiment.trials.values()]
    assert len(configs) == len(set(configs)) == 12


def test_what_is_known_counts_from_the_start():
    known = [Known({"x": x / 20}, (abs(x / 20 - 0.8),)) for x in range(20)] + [Known({"x": 0.1}, None)]
    found = study(Space({"x": Float(0, 1)}), known=known)
    assert found.optimizer.num_tell == 21 and found.optimizer.recommend().value["0"] == pytest.approx(0.8)

    class Deaf(ng.optimization.Optimizer):  # type: ignore[misc]
        def _internal_tell_not_asked(self, candidate, loss):
            raise ng.errors.TellNotAskedNotSupportedError

    with pytest.raises(BadArgument, match="takes no points but its own"):
        NevergradStudy(Axes(Space({"x": Float(0, 1)})), Deaf, 11, known)


def test_several_goals_are_told_together():
    goals = (Goal("loss", "min"), Goal("size", "max"))
    searcher = library(Space({"x": Float(0, 1)}), "TwoPointsDE")
    played(searcher, lambda c, _: {"loss": c["x"], "size": c["x"]}, 30, goals=goals, failure_rate=0.1)
    assert searcher.study.optimizer.num_objectives == 2


def test_one_that_needs_each_answer_gets_it():
    """Cobyla runs in a thread of its own, which asks again only when it is told."""
    searcher = library(Space({"x": Float(0, 1)}), "Cobyla", num_workers=1)
    assert searcher.study.sequential and searcher.most == 1
    engine = played(searcher, lambda c, _: (c["x"] - 0.3) ** 2, 30, 4, failure_rate=0.1)
    assert min(t.score for t in engine.experiment.trials.values() if t.score is not None) < 1e-3
    two = Space({"x": Float(0, 1), "y": Float(0, 1)})
    assert library(two, "NGOpt", num_workers=1).study.sequential  # it chooses Cobyla here
    assert not library(two, "NGOpt").study.sequential


def test_a_program_that_leaves_a_search_ends():
    script = (
        "from luthier import tune; from luthier.tune.search.nevergrad import NevergradSearch as N\n"
        "s = N('Cobyla', space={'x': tune.uniform(0, 1)}, metric='loss', mode='min')\n"
        "s.suggest('a'); s.on_trial_complete('a', {'loss': 1.0}); s.suggest('b')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(("optimizer", "trials"), [("ScrHammersleySearch", 5), ("NGOpt", 15), ("RandomSearch", 15)])
def test_budgets_may_be_overdrawn(optimizer, trials):
    """But not of those that lay out all their points at once: these have come to their end."""
    engine = played(library(Space({"x": Float(0, 1)}), optimizer, budget=5), lambda c, _: c["x"], 15)
    assert len(engine.experiment) == trials


# -- as users have it ----------------------------------------------------------------------------------------------
def search(optimizer: Any = "DE", **more: Any) -> Any:
    arguments: dict[str, Any] = {"space": SPACE, "metric": "loss", "mode": "min", "seed": 7}
    return NevergradSearch(optimizer, **(arguments | more))


def native():
    return ng.p.Dict(
        x=ng.p.Scalar(lower=0, upper=1),
        net=ng.p.Choice(["a", ng.p.Dict(depth=ng.p.Scalar(lower=1, upper=8).set_integer_casting())]),
        array=ng.p.Array(shape=(2,)),
        **{"deep/lr": ng.p.Log(lower=1e-3, upper=1)},
    )


def instrumented():
    return ng.p.Instrumentation(x=ng.p.Scalar(lower=0, upper=1), kind=ng.p.Choice(["a", "b"]))


def ready(param):
    return ng.optimizers.OnePlusOne(param, budget=40)


SPACES: Any = {
    "ours": {},
    "theirs": {"space": native()},
    "instrumented": {"space": instrumented()},
    "ready": {"optimizer": ready(native()), "space": None},
    "named": {"optimizer": ready(2), "space": ["x", "deep/y"]},
}


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


@pytest.mark.parametrize("search_alg", ["nevergrad", NevergradSearch(ng.optimizers.CMA)])
def test_a_tuner_takes_it(tmp_path, search_alg):
    grid = fit(tmp_path, SPACE, metric="loss", mode="min", num_samples=40, search_alg=search_alg, seed=1)
    assert len(grid) == 40
    assert grid.get_best_result().metrics["loss"] < 0.01


def test_how_many_trials_and_how_many_at_a_time_is_passed_on():
    searcher = search("NGOpt")
    searcher.expect(55)
    searcher.review(tune.TuneConfig(max_concurrent_trials=3), None)
    searcher.begin(None, (), 0)
    optimizer = searcher._direct.searcher.study.optimizer
    assert (optimizer.budget, optimizer.num_workers) == (55, 3)
    own = search("NGOpt", optimizer_kwargs={"budget": 9, "num_workers": 4})
    own.expect(55)
    own.begin(None, (), 0)
    optimizer = own._direct.searcher.study.optimizer
    assert (optimizer.budget, optimizer.num_workers) == (9, 4)


@pytest.mark.parametrize("space", list(SPACES))
def test_driven_by_hand_it_is_repeatable_and_can_be_saved(tmp_path, space):
    one, two = search(**SPACES[space]), search(**SPACES[space])
    first = driven(one)
    assert first == driven(search(**SPACES[space])) == driven(copy.deepcopy(one))
    assert first != driven(search(**(SPACES[space] | {"seed": 8})))
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"new{k}") for k in range(4)] == [two.suggest(f"new{k}") for k in range(4)]


def test_spaces_of_theirs(tmp_path):
    grid = fit(tmp_path, {"constant": 3}, num_samples=12, search_alg=search(space=native()))
    for config in (r.config for r in grid):
        assert config["constant"] == 3 and 0 <= config["x"] <= 1 and 1e-3 <= config["deep"]["lr"] <= 1
        assert config["net"] == "a" or type(config["net"]["depth"]) is int
        assert type(config["array"]) is list and len(config["array"]) == 2
    assert len({str(r.config["net"]) for r in grid}) > 1
    named = driven(search(**SPACES["named"]), 1)[0]
    assert type(named["x"]) is float and type(named["deep"]["y"]) is float


def test_points_go_first_and_known_ones_are_not_tried_again():
    point = {"x": 0.25, "model": {"depth": 3}}
    assert search(points_to_evaluate=[point]).suggest("t") == point
    theirs = search(space=native(), points_to_evaluate=[{"x": 0.25, "deep": {"lr": 0.5}}])
    first = theirs.suggest("t")
    assert first["x"] == 0.25 and first["deep"]["lr"] == 0.5 and "net" in first
    theirs.on_trial_complete("t", {"loss": 1.0})
    assert theirs._direct.searcher.searcher.study.optimizer.num_tell_not_asked == 1
    known: list[Any] = [{"x": k / 10, "model": "a"} for k in range(11)]
    searcher = search("OnePlusOne", points_to_evaluate=known, evaluated_rewards=[abs(p["x"] - 0.8) for p in known])
    searcher.add_evaluated_point({"x": 0.82, "model": "a"}, 0.01)
    assert searcher.suggest("t") not in known
    optimizer = searcher._direct.searcher.study.optimizer
    assert optimizer.num_tell == 12 and optimizer.recommend().value["0"] == pytest.approx(0.8)
    for space in (SPACE, native()):
        with pytest.raises(BadArgument, match="points_to_evaluate"):
            search(space=space, points_to_evaluate=[{"y": 1}]).suggest("t")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"optimizer": "NGopt"}, r"registry: NGOpt\?"),
        ({"optimizer": 3}, "optimizer"),
        ({"optimizer_kwargs": 3}, "optimizer_kwargs"),
        ({"optimizer": ready(2), "optimizer_kwargs": {"budget": 3}, "space": None}, "optimizer_kwargs"),
        ({"optimizer": ready(2), "space": SPACE}, "space"),
        ({"optimizer": ready(2), "space": None}, "names"),
        ({"optimizer": ready(2), "space": ["x"]}, "2 names"),
        ({"optimizer": ready(native()), "space": ["x"]}, "names of its own"),
        ({"optimizer": ng.optimizers.Cobyla(native()), "space": None}, "optimizer_kwargs"),
        ({"space": ng.p.Instrumentation(ng.p.Scalar(), x=ng.p.Scalar())}, "keywords only"),
        ({"space": ["x"]}, "space"),
        ({"space": {"x": tune.grid_search([1, 2])}}, "'x'"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments).suggest("t")


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match="'x'"):
        Axes(Space({"x": Grid([1, 2])}))


def test_by_its_name():
    assert isinstance(create_searcher("nevergrad"), NevergradSearch)


def test_killed_and_restored_each_trial_ends_once(tmp_path):
    imports = "from luthier.tune.search.nevergrad import NevergradSearch"
    grid = restored(killed_in_the_middle(tmp_path, imports, "NevergradSearch('TwoPointsDE')"))
    assert len({r.config["x"] for r in grid}) == 24
