"""ZOOptSearch as users have it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from zoopt import ValueType

from luthier import tune
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.tune.search.zoopt import ZOOptSearch
from luthier.tune.searching import create_searcher
from tests.tune.restoring import cut, inline, length

SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}
THEIRS = {"x": (ValueType.CONTINUOUS, [0, 1], 1e-6), "net/depth": (ValueType.GRID, [4, 8, 16])}


def search(**more: Any) -> Any:
    arguments: dict[str, Any] = {"dim_dict": SPACE, "metric": "loss", "mode": "min", "budget": 30, "seed": 7}
    return ZOOptSearch(**(arguments | {"parallel_num": 4} | more))


def driven(searcher, trials=12):
    configs = []
    for k in range(trials):
        configs.append(searcher.suggest(f"t{k}"))
        searcher.on_trial_complete(f"t{k}", {"loss": configs[-1]["x"]}, error=k % 5 == 4)
    return configs


def fit(tmp_path, param_space=None, **tuning):
    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline")
    config = tune.TuneConfig(**tuning)
    return tune.Tuner(train, param_space=param_space, tune_config=config, run_config=run).fit()


def train(config):
    tune.report({"loss": (config["x"] - 0.3) ** 2})


@pytest.mark.parametrize("search_alg", ["zoopt", ZOOptSearch(algo="SRacos", budget=60)])
def test_a_tuner_takes_it(tmp_path, search_alg):
    """By its name it takes num_samples for its budget."""
    grid = fit(tmp_path, SPACE, metric="loss", mode="min", num_samples=60, search_alg=search_alg, seed=1)
    assert len(grid) == 60
    assert grid.get_best_result().metrics["loss"] < 0.01


def test_dimensions_of_theirs(tmp_path):
    grid = fit(tmp_path, {"constant": 3}, num_samples=8, search_alg=search(dim_dict=THEIRS))
    assert all(r.config["constant"] == 3 and 0 <= r.config["x"] <= 1 for r in grid)
    assert len({r.config["net"]["depth"] for r in grid}) > 1


@pytest.mark.parametrize("space", [SPACE, THEIRS])
def test_driven_by_hand_it_is_repeatable_and_can_be_saved(tmp_path, space):
    one, two = search(dim_dict=space), search(dim_dict=space)
    first = driven(one)
    assert first == driven(search(dim_dict=space)) == driven(copy.deepcopy(one))
    assert first != driven(search(dim_dict=space, seed=8))
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"new{k}") for k in range(4)] == [two.suggest(f"new{k}") for k in range(4)]


def test_no_more_trials_at_a_time_than_it_was_told():
    searcher = search(parallel_num=2)
    assert [searcher.suggest(f"t{k}") is None for k in range(4)] == [False, False, True, True]
    searcher.on_trial_complete("t0", {"loss": 1.0})
    assert searcher.suggest("t4") is not None and searcher.suggest("t5") is None


def test_points_go_first_and_known_ones_are_not_tried_again():
    point = {"x": 0.25, "model": {"depth": 3}}
    assert search(points_to_evaluate=[point]).suggest("t") == point
    known: list[Any] = [{"x": k / 10, "model": "a"} for k in range(11)]
    rewards = [abs(p["x"] - 0.8) for p in known]
    searcher = search(points_to_evaluate=known, evaluated_rewards=rewards, parallel_num=20)
    near = [searcher.suggest(f"t{k}") for k in range(20)]
    assert sum(abs(config["x"] - 0.8) < 0.15 for config in near) > 11
    earlier = search(parallel_num=20)
    for config, reward in zip(known, rewards, strict=True):
        earlier.add_evaluated_point(config, reward)
    assert [earlier.suggest(f"t{k}") for k in range(20)] == near
    with pytest.raises(BadArgument, match="points_to_evaluate"):
        search(points_to_evaluate=[{"y": 1}]).suggest("t")


def test_an_earlier_experiment_is_learnt_from(tmp_path):
    grid = fit(tmp_path, SPACE, metric="loss", mode="min", num_samples=12, search_alg="random", seed=1)
    searcher = search()
    searcher.add_evaluated_trials(grid, "loss")
    assert searcher.suggest("t")["x"] != search().suggest("t")["x"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"algo": "racos"}, "algo"),
        ({"budget": 0}, "budget"),
        ({"budget": 2.5}, "budget"),
        ({"budget": None}, "budget"),
        ({"parallel_num": 0}, "parallel_num"),
        ({"exploration_rate": 2}, "exploration_rate"),
        ({"uncertain_bits": 0}, "uncertain_bits"),
        ({"time_budget": 3}, "time_budget"),
        ({"dim_dict": [1]}, "dim_dict"),
        ({"dim_dict": {"x": (ValueType.CONTINUOUS, [0, 1], -1)}}, "dim_dict"),
        ({"dim_dict": {"x": tune.grid_search([1, 2])}}, "'x'"),
        ({"metric": ["loss", "size"], "mode": "min"}, "metric"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments).suggest("t")


def test_exploration_can_be_had():
    known: list[Any] = [{"x": k / 10, "model": "a"} for k in range(11)]
    rewards = [abs(p["x"] - 0.8) for p in known]
    near = []
    for rate in (0, 1):
        searcher = search(points_to_evaluate=known, evaluated_rewards=rewards, parallel_num=30, exploration_rate=rate)
        near.append(sum(abs(searcher.suggest(f"t{k}")["x"] - 0.8) < 0.15 for k in range(30)))
    assert near[0] > near[1] + 5


def test_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zoopt", None)
    with pytest.raises(MissingLibrary, match=r"^ZOOptSearch needs zoopt: pip install 'luthier\[zoopt\]'$"):
        ZOOptSearch(budget=10)
    monkeypatch.undo()
    assert isinstance(create_searcher("zoopt", budget=10), ZOOptSearch)


@pytest.mark.parametrize("space", [SPACE, THEIRS])
def test_cut_and_restored_it_goes_on_as_if_nothing_had_been(tmp_path, space):
    run = inline(tmp_path / "whole")
    config = tune.TuneConfig(num_samples=16, search_alg=search(dim_dict=space))
    whole = tune.Tuner(train, tune_config=config, run_config=run).fit()
    broken = cut(whole.experiment_path, tmp_path / "broken", length(whole.experiment_path) // 2)
    again = tune.Tuner.restore(str(broken), train, run_config=tune.RunConfig(verbose=0, executor="inline")).fit()
    assert [r.config for r in again] == [r.config for r in whole]
