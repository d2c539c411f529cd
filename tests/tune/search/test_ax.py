"""AxSearch as users have it."""

from __future__ import annotations

import copy
import logging
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.tune.search.ax import AxSearch
from luthier.tune.searching import create_searcher
from tests.tune.restoring import cut, inline, length
from tests.tune.search.algorithms import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}
THEIRS: list[dict[str, Any]] = [
    {"name": "x", "type": "range", "bounds": [0.0, 1.0]},
    {"name": "net/act", "type": "choice", "values": ["relu", "tanh", "elu"]},
    {"name": "net/bias", "type": "fixed", "value": True},
]


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


def search(**more: Any) -> Any:
    arguments: dict[str, Any] = {"space": SPACE, "metric": "loss", "mode": "min", "seed": 7}
    return AxSearch(**(arguments | more))


def driven(searcher, trials=4):
    configs = []
    for k in range(trials):
        configs.append(searcher.suggest(f"t{k}"))
        searcher.on_trial_complete(f"t{k}", {"loss": configs[-1]["x"]}, error=k % 5 == 3)
    return configs


def fit(tmp_path, param_space=None, **tuning):
    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline")
    config = tune.TuneConfig(**tuning)
    return tune.Tuner(train, param_space=param_space, tune_config=config, run_config=run).fit()


def train(config):
    tune.report({"loss": (config["x"] - 0.3) ** 2, "size": config["x"]})


def client_with(parameters: Any = None, **more: Any) -> Any:
    """Return a client as users make one, with an experiment if there are parameters."""
    search()
    from ax.service.ax_client import AxClient
    from ax.service.utils.instantiation import ObjectiveProperties

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = AxClient(verbose_logging=False, generation_strategy=sobol())
        if parameters is not None:
            objectives = {"loss": ObjectiveProperties(minimize=True)}
            client.create_experiment(parameters=parameters, objectives=objectives, **more)
    return client


def test_a_tuner_takes_it_and_it_learns(tmp_path, capfd, caplog):
    """Five quasi-random trials, then a model; neither warnings nor Ax's log reach anybody."""
    caplog.set_level(logging.INFO)
    space = {"x": tune.uniform(0, 1)}
    grid = fit(tmp_path, space, metric="loss", mode="min", num_samples=7, search_alg="ax", seed=1)
    assert len(grid) == 7
    assert grid.get_best_result().metrics["loss"] < 0.01
    assert not caplog.records and capfd.readouterr().err == ""


def test_parameters_of_theirs(tmp_path):
    grid = fit(tmp_path, {"constant": 3}, num_samples=4, search_alg=search(space=THEIRS))
    assert all(r.config["constant"] == 3 and 0 <= r.config["x"] <= 1 for r in grid)
    assert all(r.config["net"]["bias"] is True for r in grid)
    assert len({r.config["net"]["act"] for r in grid}) > 1


@pytest.mark.parametrize("space", [SPACE, THEIRS])
def test_driven_by_hand_it_is_repeatable_and_can_be_saved(tmp_path, space):
    one, two = search(space=space), search(space=space)
    first = driven(one)
    assert first == driven(search(space=space, seed=None, random_seed=7)) == driven(copy.deepcopy(one))
    assert first != driven(search(space=space, seed=8))
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert one.suggest("new") == two.suggest("new")


def test_it_waits_for_results_unless_told_otherwise():
    searcher = search(space={"x": tune.uniform(0, 1)})
    assert [searcher.suggest(f"t{k}") is None for k in range(7)] == [False] * 5 + [True] * 2
    hasty = search(space={"x": tune.uniform(0, 1)}, enforce_sequential_optimization=False)
    assert len({hasty.suggest(f"t{k}")["x"] for k in range(7)}) == 7


def test_points_go_first_and_known_ones_are_not_tried_again():
    point = {"x": 0.25, "model": {"depth": 3}}
    assert search(points_to_evaluate=[point]).suggest("t") == point
    theirs = {"x": 0.5, "net": {"act": "elu", "bias": True}}
    assert search(space=THEIRS, points_to_evaluate=[theirs]).suggest("t") == theirs
    space = {"x": tune.uniform(0, 1)}
    known: list[Any] = [{"x": k / 10} for k in range(11)]
    rewards = [abs(p["x"] - 0.8) for p in known]
    found = search(space=space, points_to_evaluate=known, evaluated_rewards=rewards).suggest("t")
    assert abs(found["x"] - 0.8) < 0.1
    earlier = search(space=space)
    for config, reward in zip(known, rewards, strict=True):
        earlier.add_evaluated_point(config, reward)
    assert earlier.suggest("t") == found
    with pytest.raises(BadArgument, match="points_to_evaluate"):
        search(points_to_evaluate=[{"y": 1}]).suggest("t")


def test_an_earlier_experiment_is_learnt_from(tmp_path):
    space = {"x": tune.uniform(0, 1)}
    grid = fit(tmp_path, space, metric="loss", mode="min", num_samples=8, search_alg="random", seed=1)
    searcher = search(space=space)
    searcher.add_evaluated_trials(grid, "loss")
    assert abs(searcher.suggest("t")["x"] - 0.3) < 0.2


def test_several_metrics(tmp_path):
    alg = search(metric=["loss", "size"], mode=["min", "max"], space={"x": tune.uniform(0, 1)})
    grid = fit(tmp_path, None, num_samples=6, search_alg=alg)
    assert len(grid) == 6 and len(grid.pareto_front()) >= 2


def test_a_client_of_the_users_hears_of_the_trials(tmp_path):
    client = client_with(THEIRS, outcome_constraints=["size <= 0.5"])
    alg = AxSearch(ax_client=client)
    grid = fit(tmp_path, None, num_samples=4, search_alg=alg, seed=1)
    assert len(grid) == 4
    trials = client.experiment.trials
    assert [t.arm.parameters["x"] for t in trials.values()] == pytest.approx([r.config["x"] for r in grid])
    assert {t.status.name for t in trials.values()} == {"COMPLETED"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert set(client.experiment.lookup_data().df["metric_name"]) == {"loss", "size"}
    again = fit(tmp_path / "again", None, num_samples=2, search_alg=alg, seed=1)  # as it was at first
    assert [r.config for r in again] == [r.config for r in grid][:2] and len(client.experiment.trials) == 2


def test_an_empty_client_gets_an_experiment(tmp_path):
    client = client_with()
    fit(tmp_path, SPACE, metric="loss", mode="max", num_samples=2, search_alg=AxSearch(ax_client=client), seed=1)
    assert len(client.experiment.trials) == 2
    assert not client.objective.minimize


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"space": 3}, "space"),
        ({"space": [{"name": "x"}]}, "space"),
        ({"space": {"x": tune.grid_search([1, 2])}}, "'x'"),
        ({"parameter_constraints": "x <= 1"}, "parameter_constraints"),
        ({"outcome_constraints": [3]}, "outcome_constraints"),
        ({"parameter_constraints": ["y <= 1"]}, "constraints.*'y"),
        ({"parameter_constraints": ["depth"]}, "constraints"),
        ({"outcome_constraints": ["loss <= 3"]}, "constrain on objective"),
        ({"parameter_constraints": ["q + x <= 1"], "space": {"q": tune.quniform(0, 1, 0.1), **SPACE}}, "'q' is none"),
        ({"ax_client": 3, "space": None}, "ax_client"),
        ({"verbose": 1}, "verbose"),
        ({"db_settings": object()}, "db_settings"),
        (
            {"points_to_evaluate": [{"x": 0.5}], "evaluated_rewards": [1], "outcome_constraints": ["size <= 1"]},
            "evaluated_rewards",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments).suggest("t")


def test_what_the_experiment_of_a_client_says_is_said_once():
    with pytest.raises(BadArgument, match="metric"):
        AxSearch(ax_client=client_with(THEIRS), metric="loss")


def test_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ax.service.ax_client", None)
    with pytest.raises(MissingLibrary, match=r"^AxSearch needs ax-platform<1.4: pip install 'luthier\[ax\]'$"):
        AxSearch()
    monkeypatch.undo()
    assert isinstance(create_searcher("ax"), AxSearch)


def test_cut_and_restored_it_goes_on_as_if_nothing_had_been(tmp_path):
    run = inline(tmp_path / "whole")
    config = tune.TuneConfig(num_samples=7, search_alg=search(space={"x": tune.uniform(0, 1)}))
    whole = tune.Tuner(train, tune_config=config, run_config=run).fit()
    broken = cut(whole.experiment_path, tmp_path / "broken", length(whole.experiment_path) * 3 // 4)
    again = tune.Tuner.restore(str(broken), train, run_config=tune.RunConfig(verbose=0, executor="inline")).fit()
    assert [r.config for r in again] == [r.config for r in whole]
