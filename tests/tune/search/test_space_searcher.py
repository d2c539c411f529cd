"""Search algorithms as users have them: given to a Tuner, and driven by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.goals import goals_of
from luthier.tune.search import Searcher
from luthier.tune.search.tpe import TPESearch
from luthier.tune.searching import create_searcher

SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}


def search(**more: Any) -> Any:
    arguments: dict[str, Any] = {"space": SPACE, "metric": "loss", "mode": "min", "seed": 7}
    return TPESearch(**(arguments | more))


def driven(searcher, trials=12):
    configs: list[dict[str, Any]] = []
    for k in range(trials):
        config = searcher.suggest(f"t{len(configs)}_{k}")
        configs.append(config)
        searcher.on_trial_result(f"t{len(configs) - 1}_{k}", {"loss": config["x"] + 1})
        searcher.on_trial_complete(f"t{len(configs) - 1}_{k}", {"loss": config["x"]}, error=k % 5 == 4)
    return configs


def run_config(tmp_path):
    return tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline")


def train(config):
    tune.report({"loss": (config["x"] - 0.3) ** 2, "size": config["x"]})


@pytest.mark.parametrize("search_alg", ["tpe", TPESearch(seed=3), TPESearch(metric="loss", mode="min")])
def test_a_tuner_takes_it(tmp_path, search_alg):
    config = tune.TuneConfig(metric="loss", mode="min", num_samples=30, search_alg=search_alg, seed=1)
    grid = tune.Tuner(train, param_space=SPACE, tune_config=config, run_config=run_config(tmp_path)).fit()
    assert len(grid) == 30
    assert grid.get_best_result().metrics["loss"] < 0.01


def test_metric_mode_and_space_may_be_the_searchers(tmp_path):
    config = tune.TuneConfig(num_samples=5, search_alg=search())
    grid = tune.Tuner(train, tune_config=config, run_config=run_config(tmp_path)).fit()
    assert grid.get_best_result().metrics["loss"] == min(r.metrics["loss"] for r in grid)


def test_constants_of_the_tuner_stay(tmp_path):
    config = tune.TuneConfig(num_samples=2, search_alg=search())
    grid = tune.Tuner(train, param_space={"c": 3}, tune_config=config, run_config=run_config(tmp_path)).fit()
    assert all(r.config["c"] == 3 and "x" in r.config for r in grid)


@pytest.mark.parametrize(
    ("searcher", "tuning", "named"),
    [
        (search(), {"param_space": SPACE}, "param_space"),
        (search(), {"metric": "other", "mode": "min"}, "TPESearch.metric"),
        (TPESearch(SPACE), {}, "metric"),
        (search(points_to_evaluate=[{"y": 1}]), {}, "points_to_evaluate"),
        (search(points_to_evaluate=[{"x": 1, "model": "a"}], evaluated_rewards=[[1, 2]]), {}, "evaluated_rewards"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_trial(tmp_path, searcher, tuning, named):
    space = tuning.pop("param_space", None)
    config = tune.TuneConfig(search_alg=searcher, **tuning)
    with pytest.raises(BadArgument, match=named):
        tune.Tuner(train, param_space=space, tune_config=config, run_config=run_config(tmp_path)).fit()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"mode": "up"}, "mode"),
        ({"mode": ["min", "max"]}, "mode"),
        ({"metric": ["a", "a"], "mode": ["min", "max"]}, "metric"),
        ({"points_to_evaluate": {"x": 1}}, "points_to_evaluate"),
        ({"points_to_evaluate": [{"x": 1}], "evaluated_rewards": []}, "evaluated_rewards"),
        ({"points_to_evaluate": [{"x": 1}], "evaluated_rewards": ["y"]}, "evaluated_rewards"),
        ({"seed": "x"}, "random_state"),
        ({"n_initial_points": 0}, "startup"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments)


def test_driven_by_hand_it_learns_and_is_repeatable():
    one, two = driven(search(), 40), driven(search(), 40)
    assert one == two
    late = [config["x"] for config in one[20:]]
    assert sum(late) / len(late) < 0.3


def test_saved_and_restored_it_goes_on_as_if_nothing_had_been(tmp_path):
    one, two = search(), search()
    driven(one, 12)
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"new{k}") for k in range(4)] == [two.suggest(f"new{k}") for k in range(4)]


def test_a_copy_is_a_search_that_has_not_begun():
    searcher = search()
    first = driven(searcher)
    assert driven(copy.deepcopy(searcher)) == first


def test_points_go_first_and_known_ones_are_not_tried_again():
    assert search(points_to_evaluate=[{"x": 0.25}]).suggest("t")["x"] == 0.25
    known: list[dict[str, Any]] = [{"x": k / 10, "model": "a"} for k in range(10)]
    searcher = search(points_to_evaluate=known, evaluated_rewards=[abs(p["x"] - 0.8) for p in known])
    xs = sorted(searcher.suggest(f"t{k}")["x"] for k in range(9))
    assert abs(xs[4] - 0.8) < 0.15
    assert not set(xs) & {p["x"] for p in known}


def test_evaluated_points_are_told_before_the_search_begins():
    searcher = search()
    searcher.add_evaluated_point({"x": 0.5, "model": "a"}, 0.5)
    searcher.add_evaluated_point({"x": 0.9, "model": "a"}, 0.9, error=True)
    searcher.suggest("t")
    with pytest.raises(RuntimeError, match="too late"):
        searcher.add_evaluated_point({"x": 0.5, "model": "a"}, 0.5)


def test_a_trial_is_suggested_once():
    searcher = search()
    searcher.suggest("t")
    with pytest.raises(BadArgument, match="trial_id"):
        searcher.suggest("t")
    searcher.on_trial_complete("unknown", {"loss": 1})


def test_names():
    assert isinstance(create_searcher("TPE", n_candidates=9), Searcher)
    with pytest.raises(BadArgument, match=r"random, .*tpe"):
        create_searcher("tpee")
    assert [goal.metric for goal in goals_of(["a", "b"], "min")] == ["a", "b"]
