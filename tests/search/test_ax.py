"""Ax as a searcher: the laws, its parameters, and what it is told."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Function, Grid, Integer, Normal, Space
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.search.ax_parameters import AxParameters, converted, described
from luthier.search.known import Known
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract
from luthier.tune.search.ax import AxSearch
from tests.tune.search.algorithms import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Iterator

LOSS = (Goal("loss", "min"),)
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "decay": Float(1e-3, 1.0, log=True, q=1e-3),
        "drop": Float(0.0, 0.9, q=0.1),
        "width": Integer(8, 512, log=True),
        "units": Integer(5, 50, q=10),
        "shift": Normal(10, 2),
        "narrow": Float(0, 1e-5),
        "x": Float(-3, 5),
        "batch": Categorical([32, 16, 64]),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, [3]])}]),
        "kind": Categorical(["a", "b"]),
        "constant": 3,
        "twice": Function(lambda config: 2 * config["drop"]),
    }
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread_of_torch() -> Iterator[None]:
    """Two wait for each other, with matrices as small as these."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def sobol() -> Any:
    """Return a strategy that makes no models: they take Ax seconds."""
    return ALGORITHMS["AxSearch"].early()["generation_strategy"]  # type: ignore[operator]


def library(space: Any, seed: int = 11, goals: Any = LOSS, known: Any = (), *, model: bool = False, **more: Any) -> Any:
    if not model:
        AxSearch()  # Ax is imported, quietly
        more["generation_strategy"] = sobol()
    search = AxSearch(**more)
    return search.policy(space, goals, known, seed)


class Contract(SearcherContract):
    replayable = False
    most = 5

    def test_exhausted_is_for_ever(self):
        """Of 10 numbers, not 300: a proposal takes Ax 20 ms and more."""
        searcher = self.make()
        assert all(isinstance(searcher.ask(number, rng_at(0, number)), dict) for number in range(10))


class TestMixed(Contract):
    space = MIXED
    most = 4

    def make(self):
        return library(MIXED)


class TestOnePoint(Contract):
    space = Space({"x": 3, "y": Integer(2, 2)})
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})  # one config

    def make(self):
        return library(self.space)


class TestFewConfigs(Contract):
    """Where all were tried they are tried again."""

    space = Space({"x": Categorical([5]), "y": Integer(2, 2), "z": Categorical(["a", "b"])})

    def make(self):
        return library(self.space)


class TestWide(Contract):
    """200 axes; a proposal takes Ax 0.1 s, so that few of the tests are run: smaller spaces show the rest."""

    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})
    most = 2
    waived: ClassVar = frozenset(
        {
            "test_a_restart_changes_nothing",
            "test_the_same_history_gives_the_same_answers",
            "test_the_seed_matters_and_concurrency_only_to_those_who_learn",
        }
    )

    def make(self):
        return library(self.space)

    def test_a_kind_world_ends(self):
        """Of 3 trials."""
        engine, world = self._played(0, num_trials=3)
        world.run()
        assert engine.finished and len(engine.experiment) == 3

    test_exhausted_is_for_ever = SearcherContract.test_news_never_change_a_config  # it never is


class TestModel(Contract):
    """With a model from the sixth trial on, whose points are the same after a restart."""

    space = Space({"x": Float(0, 1)})
    most = 7
    steps = 1
    # Seconds for each; that a restart changes nothing says more than the second of them.
    waived: ClassVar = frozenset(
        {
            "test_the_seed_matters_and_concurrency_only_to_those_who_learn",
            "test_the_same_history_gives_the_same_answers",
        }
    )

    def make(self):
        return library(self.space, model=True)

    def _phases(self, test):
        return () if test in self.waived else (6,)

    def test_a_kind_world_ends(self):
        """Of 8 trials."""
        engine, world = self._played(0, num_trials=8)
        world.run()
        assert engine.finished and len(engine.experiment) == 8

    def test_exhausted_is_for_ever(self):
        """Ax waits for results: that is no end."""
        searcher = self.make()
        answers = [searcher.ask(number, rng_at(0, number)) for number in range(9)]
        assert answers[5:] == [Nothing.NOT_YET] * 4


def played(searcher, loss, trials=20, workers=2, scheduler=None, steps=1, seed=11, goals=LOSS, **world):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, scheduler or Fifo(), goals)
    World(engine, loss, length=steps, workers=workers, **world).run()
    return engine


def alike(ours, theirs):
    """Whether two samples have one distribution, by the Kolmogorov-Smirnov distance (at 1 in 1e6)."""
    values = np.unique(np.concatenate([ours, theirs]))
    distance = np.abs(
        np.searchsorted(np.sort(ours), values, "right") / len(ours)
        - np.searchsorted(np.sort(theirs), values, "right") / len(theirs)
    ).max()
    return distance < math.sqrt(-math.log(1e-6 / 2) / 2 * (1 / len(ours) + 1 / len(theirs)))


def drawn(parameters, count):
    """Return configs from Sobol's points, as many at once as there are: one by one takes 20 ms for each."""
    AxSearch()
    from ax.adapter.registry import Generators
    from ax.utils.common.random import with_rng_seed

    from luthier.search.ax import Quiet, client_of

    with Quiet(), with_rng_seed(7):
        client = client_of(parameters.specs, LOSS, {"generation_strategy": sobol()}, None, None)
        run = Generators.SOBOL(experiment=client.experiment, seed=3).gen(n=count)
    return [parameters.config(arm.parameters, rng_at(1, k)) for k, arm in enumerate(run.arms)]


def test_what_becomes_what():
    """Bounds, scales, rounding and whole numbers survive."""
    parameters = AxParameters(MIXED)
    assert {knob.name: knob.kind for knob in parameters.parts} == {
        "lr": "range", "decay": "place", "drop": "step", "width": "range", "units": "step", "shift": "place",
        "narrow": "place", "x": "range", "batch": "choice", "model": "option", "model[1]/depth": "range",
        "model[1]/act": "option", "kind": "choice",
    }  # fmt: skip
    configs = drawn(parameters, 200)
    assert all(config in MIXED and config["twice"] == 2 * config["drop"] for config in configs)
    ours = [MIXED.sample(rng_at(9, k)) for k in range(2000)]
    for name in ("lr", "decay", "units", "shift", "narrow", "x", "batch"):
        assert alike([c[name] for c in configs], [c[name] for c in ours]), name
    assert abs(np.mean(np.log([c["width"] for c in configs])) - np.mean(np.log([c["width"] for c in ours]))) < 0.1
    drops = [c["drop"] for c in configs]
    assert set(drops) == {k / 10 for k in range(10)}
    assert all(12 < drops.count(k / 10) < 28 for k in range(10))  # both ends as likely as the rest
    assert {type(c["units"]) for c in configs} == {int} == {type(c["width"]) for c in configs}
    trees = [c["model"] for c in configs if c["model"] != "linear"]
    assert 0.45 < len(trees) / len(configs) < 0.55
    assert {tree["depth"] for tree in trees} == set(range(1, 9))
    assert [3] in [tree["act"] for tree in trees] and None in [tree["act"] for tree in trees]


def test_there_and_back():
    """Each config has one place, also where axes are not alive."""
    parameters = AxParameters(MIXED)
    for k in range(200):
        values = parameters.values(MIXED.sample(rng_at(k))) or {}
        again = parameters.values(parameters.config(values, rng_at(1))) or {}
        assert {name: pytest.approx(v, abs=1e-12) if isinstance(v, float) else v for name, v in again.items()} == values
    assert parameters.values({"lr": 0.1}) is None


THEIRS: list[dict[str, Any]] = [
    {"name": "lr", "type": "range", "bounds": [1e-6, 0.4], "log_scale": True},
    {"name": "n", "type": "range", "bounds": [1, 9], "value_type": "int"},
    {"name": "net/act", "type": "choice", "values": ["relu", "tanh", "elu"], "is_ordered": False, "sort_values": False},
    {"name": "net/bias", "type": "fixed", "value": True},
    {"name": "alone", "type": "choice", "values": ["only"], "is_ordered": False, "sort_values": False},
]


def test_parameters_of_theirs():
    space = converted(THEIRS)
    assert space.description == {
        "lr": Float(1e-6, 0.4, log=True),
        "n": Integer(1, 9),
        "net": {"act": Categorical(["relu", "tanh", "elu"]), "bias": True},
        "alone": Categorical(["only"]),
    }
    parameters = AxParameters(space, THEIRS)
    values = {"lr": 0.01, "n": 3, "net/act": "elu", "net/bias": True, "alone": "only"}
    config = {"lr": 0.01, "n": 3, "net": {"act": "elu", "bias": True}, "alone": "only"}
    assert parameters.specs == THEIRS
    assert parameters.config(values, rng_at(0)) == {**config, "lr": pytest.approx(0.01)}
    assert parameters.values(config) == {**values, "lr": pytest.approx(0.01)}


@pytest.mark.parametrize(
    "parameter",
    [
        {"name": "x", "type": "range", "bounds": [1]},
        {"name": "x", "type": "guess"},
        {"type": "fixed", "value": 3},
        "x",
        {"name": "x", "type": "choice", "values": ["a", "b"], "dependents": {"a": ["y"]}},
    ],
)
def test_parameters_that_cannot_be_used(parameter):
    with pytest.raises(BadArgument, match="space"):
        converted([parameter])


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match=r"'x'.*Ax does not walk grids"):
        AxParameters(Space({"x": Grid([1, 2])}))


def experiment_of(searcher: Any) -> Any:
    study = getattr(searcher.study, "study", searcher.study)
    return study._client.experiment


def told_to(searcher: Any) -> Any:
    from luthier.search.ax import Quiet

    with Quiet():
        return experiment_of(searcher).lookup_data().df


def statuses(searcher: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for trial in experiment_of(searcher).trials.values():
        found[trial.status.name] = found.get(trial.status.name, 0) + 1
    return found


def test_what_ax_is_told():
    def loss(config, step):
        return math.nan if config["x"] > 0.8 else config["x"] + 1 / step

    searcher = library(Space({"x": Float(0, 1)}), goals=(Goal("loss", "max"),))
    engine = played(searcher, loss, 16, 3, Asha(max_t=4, reduction_factor=2), 4, goals=(Goal("loss", "max"),))
    ended: dict[str, int] = {}
    told = told_to(searcher)
    values = dict(zip(told["trial_index"], told["mean"], strict=True))
    for number, trial in enumerate(engine.experiment.trials.values()):
        bad = trial.config["x"] > 0.8
        whole = trial.metrics["loss"] == trial.config["x"] + 1 / 4
        kind = "FAILED" if bad else "COMPLETED" if whole else "EARLY_STOPPED"
        ended[kind] = ended.get(kind, 0) + 1
        assert values.get(number) == (None if bad else trial.metrics["loss"])  # the metric's own value
    assert statuses(searcher) == ended and len(ended) == 3


def test_failures_and_running_trials():
    searcher = library(Space({"x": Float(0, 1)}))
    engine = Engine(Limits(num_trials=9, seed=3, max_failures=0), searcher, Fifo(), LOSS)
    World(engine, lambda c, _: c["x"], length=1, workers=9).run(until=0.0)
    assert len({t.config["x"] for t in engine.experiment.trials.values()}) == 9
    played(again := library(Space({"x": Float(0, 1)})), lambda c, _: c["x"], 9, failure_rate=0.4)
    assert {"FAILED", "COMPLETED"} == set(statuses(again))


def test_running_trials_get_different_configs_even_where_there_are_few():
    space = Space({"a": Categorical(range(3)), "b": Integer(1, 2)})
    engine = Engine(Limits(num_trials=6, seed=3), library(space, seed=3), Fifo(), LOSS)
    World(engine, lambda c, _: c["a"] * c["b"], length=1, workers=6).run(until=0.0)
    configs = [tuple(t.config.values()) for t in engine.experiment.trials.values()]
    assert len(configs) == len(set(configs)) == 6


def test_a_proposal_that_never_became_a_trial_is_forgotten():
    study = library(Space({"x": Float(0, 1)})).study.study
    first = study.propose(5)
    second = study.propose(6)  # Ax knows of the first by now
    study.withdraw(second.token)
    study.withdraw(first.token)
    assert study.propose(5).config == first.config
    assert len(study._client.experiment.trials) == 0


def test_what_is_known_counts_from_the_start():
    known = [Known({"x": x / 9}, (abs(x / 9 - 0.8),)) for x in range(10)] + [Known({"x": 0.1}, None)]
    searcher = library(Space({"x": Float(0, 1)}), known=[*known, Known({"x": 0.2}, (0.6,), 3.0)], model=True)
    config = searcher.ask(0, rng_at(11, 0))
    assert 0.6 < config["x"] < 1.0
    assert statuses(searcher) == {"COMPLETED": 10, "FAILED": 1, "EARLY_STOPPED": 1}


def test_several_goals_and_their_directions():
    goals = (Goal("loss", "min"), Goal("speed", "max"))
    searcher = library(Space({"x": Float(0, 1)}), goals=goals)
    played(searcher, lambda c, _: {"loss": c["x"] ** 2, "speed": c["x"]}, 4, 1, goals=goals)
    told = told_to(searcher)
    assert set(told["metric_name"]) == {"loss", "speed"} and len(told) == 8 and (told["mean"] >= 0).all()
    objective = experiment_of(searcher).optimization_config.objective
    assert {metric: weight < 0 for metric, weight in objective.metric_weights} == {"loss": True, "speed": False}


def test_constraints_are_kept_and_chance_is_ours_alone():
    """What outcomes are constrained by is told; numpy's generator, and torch's, are as they were."""
    import torch

    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 (the global one)
    first = np.random.random(2).tolist(), torch.rand(2).tolist()  # noqa: NPY002 (as above)
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 (the global one)
    space = Space({"x": Float(0, 1), "y": Float(0, 1)})
    constraints: Any = {"parameter_constraints": ["x + y <= 1"], "outcome_constraints": ["size <= 0.5"]}
    searcher = library(space, model=True, **constraints)
    engine = played(searcher, lambda c, _: {"loss": -c["x"] - c["y"], "size": c["x"]}, 6, 1)
    configs = [t.config for t in engine.experiment.trials.values()]
    assert all(c["x"] + c["y"] <= 1 + 1e-6 for c in configs)
    assert configs[-1]["x"] + configs[-1]["y"] > 0.9  # the model's
    told = told_to(searcher)
    assert set(told["metric_name"]) == {"loss", "size"} and len(told) == 12
    assert (np.random.random(2).tolist(), torch.rand(2).tolist()) == first  # noqa: NPY002 (as above)
    without = library(space, outcome_constraints=["size <= 0.5"])
    played(without, lambda c, _: {"loss": c["x"]}, 2, 1)
    assert statuses(without) == {"FAILED": 2}  # they did not report it


def test_the_parameters_of_an_experiment_are_read():
    AxSearch()
    from luthier.search.ax import Quiet, client_of

    with Quiet():
        experiment = client_of(THEIRS, LOSS, {}, None, None).experiment
    read = converted(described(experiment.search_space.parameters)).description
    assert read == {**converted(THEIRS).description, "alone": "only"}  # one option is a constant for Ax
