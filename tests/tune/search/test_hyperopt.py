"""HyperOptSearch as users have it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hyperopt import hp

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.search.hyperopt import HyperOptSearch
from tests.tune.restoring import cut, inline, length

SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}
THEIRS = {"x": hp.uniform("x", 0, 1), "model": hp.choice("model", ["a", {"depth": hp.uniformint("depth", 1, 8)}])}
ROOT = hp.choice("kind", [{"kind": "a", "x": hp.uniform("xa", 0, 1)}, {"kind": "b", "x": hp.uniform("xb", 0, 1)}])


def search(**more: Any) -> Any:
    arguments: dict[str, Any] = {"space": SPACE, "metric": "loss", "mode": "min"}
    return HyperOptSearch(**(arguments | {"random_state_seed": 7, "n_initial_points": 5} | more))


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


@pytest.mark.parametrize("search_alg", ["hyperopt", HyperOptSearch(n_initial_points=10)])
def test_a_tuner_takes_it(tmp_path, search_alg):
    grid = fit(tmp_path, SPACE, metric="loss", mode="min", num_samples=40, search_alg=search_alg, seed=1)
    assert len(grid) == 40
    assert grid.get_best_result().metrics["loss"] < 0.01


@pytest.mark.parametrize("space", [THEIRS, ROOT])
def test_spaces_of_theirs(tmp_path, space):
    grid = fit(tmp_path, {"constant": 3}, num_samples=8, search_alg=search(space=space))
    assert all(r.config["constant"] == 3 and 0 <= r.config["x"] <= 1 for r in grid)
    assert len({str(r.config.get("kind", r.config.get("model"))) for r in grid}) > 1


@pytest.mark.parametrize("space", [SPACE, THEIRS, ROOT])
def test_driven_by_hand_it_is_repeatable_and_can_be_saved(tmp_path, space):
    one, two = search(space=space), search(space=space)
    first = driven(one)
    assert first == driven(search(space=space)) == driven(copy.deepcopy(one))
    assert first != driven(search(space=space, random_state_seed=8))
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"new{k}") for k in range(4)] == [two.suggest(f"new{k}") for k in range(4)]


def test_points_go_first_and_known_ones_are_not_tried_again():
    point = {"x": 0.25, "model": {"depth": 3}}
    assert search(space=THEIRS, points_to_evaluate=[point]).suggest("t") == point
    assert search(space=ROOT, points_to_evaluate=[{"kind": "b", "x": 0.5}]).suggest("t") == {"kind": "b", "x": 0.5}
    known: list[Any] = [{"x": k / 10, "model": "a"} for k in range(11)]
    rewards = [abs(p["x"] - 0.8) for p in known]
    searcher = search(points_to_evaluate=known, evaluated_rewards=rewards)
    xs = sorted(searcher.suggest(f"t{k}")["x"] for k in range(9))
    assert abs(xs[4] - 0.8) < 0.25
    with pytest.raises(BadArgument, match="points_to_evaluate"):
        search(points_to_evaluate=[{"y": 1}]).suggest("t")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"n_initial_points": 0}, "n_initial_points"),
        ({"n_initial_points": 2.5}, "n_initial_points"),
        ({"gamma": 0}, "gamma"),
        ({"space": [1]}, "space"),
        ({"space": {"x": hp.uniform("x", 0, 1) + 1}}, "space"),
        ({"space": {"x": tune.grid_search([1, 2])}}, "'x'"),
        ({"metric": ["loss", "size"], "mode": "min"}, "metric"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments).suggest("t")


@pytest.mark.parametrize("space", [THEIRS, ROOT])
def test_a_space_of_theirs_is_kept_for_restoring(tmp_path, space):
    run = inline(tmp_path / "whole")
    config = tune.TuneConfig(num_samples=16, search_alg=search(space=space))
    whole = tune.Tuner(train, tune_config=config, run_config=run).fit()
    broken = cut(whole.experiment_path, tmp_path / "broken", length(whole.experiment_path) // 2)
    again = tune.Tuner.restore(str(broken), train, run_config=tune.RunConfig(verbose=0, executor="inline")).fit()
    assert [r.config for r in again] == [r.config for r in whole]
