"""BayesOptSearch as users have it."""

from __future__ import annotations

import inspect
from importlib import metadata
from typing import Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.tune.search.bayesopt import BayesOptSearch
from luthier.tune.searching import create_searcher
from tests.tune.restoring import inline

SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}
THEIRS = {"width": (0, 20), "deep/height": (-100, 100), "n": (1, 3, int)}


def search(**more: Any) -> Any:
    arguments: dict[str, Any] = {"space": SPACE, "metric": "loss", "mode": "min", "random_search_steps": 4}
    return BayesOptSearch(**(arguments | more))


def driven(searcher, trials=7):
    configs = []
    for k in range(trials):
        configs.append(searcher.suggest(f"t{k}"))
        searcher.on_trial_complete(f"t{k}", {"loss": len(str(configs[-1]))}, error=k % 5 == 4)
    return configs


def train(config):
    tune.report({"loss": (config["x"] - 0.3) ** 2})


def fit(tmp_path, search_alg, num_samples, param_space=None, **tuning):
    config = tune.TuneConfig(num_samples=num_samples, search_alg=search_alg, **tuning)
    return tune.Tuner(train, param_space=param_space, tune_config=config, run_config=inline(tmp_path)).fit()


def test_its_arguments_are_rays():
    found = {name: p.default for name, p in list(inspect.signature(BayesOptSearch).parameters.items())[:12]}
    assert found == {
        "space": None,
        "metric": None,
        "mode": None,
        "points_to_evaluate": None,
        "utility_kwargs": None,
        "random_state": 42,
        "random_search_steps": 10,
        "verbose": 0,
        "patience": 5,
        "skip_duplicate": True,
        "analysis": None,
        "repeat_float_precision": 5,
    }


@pytest.mark.parametrize(
    "search_alg", ["bayesopt", BayesOptSearch(random_search_steps=5, utility_kwargs={"kind": "ei"})]
)
def test_a_tuner_takes_it(tmp_path, search_alg):
    grid = fit(tmp_path, search_alg, 14, {"x": tune.uniform(0, 1), "c": 3}, metric="loss", mode="min")
    assert len(grid) == 14 and all(result.config["c"] == 3 for result in grid)
    assert grid.get_best_result().metrics["loss"] < 1e-3


def test_bounds_of_theirs_driven_by_hand(tmp_path):
    first = driven(search(space=THEIRS))
    assert all(0 <= c["width"] <= 20 and -100 <= c["deep"]["height"] <= 100 and c["n"] in (1, 2, 3) for c in first)
    assert first == driven(search(space=THEIRS)) != driven(search(space=THEIRS, random_state=8))
    one, two = search(space=THEIRS), search(space=THEIRS)
    driven(one)
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"new{k}") for k in range(2)] == [two.suggest(f"new{k}") for k in range(2)]


def test_tuples_are_bounds_only_in_a_space_of_its_own():
    searcher = BayesOptSearch()
    searcher.set_search_properties("loss", "min", {"x": tune.uniform(0, 1), "layers": (64, 32)})
    assert searcher.suggest("t")["layers"] == (64, 32)


def test_points_go_first_and_known_ones_are_not_tried_again():
    point = {"width": 5, "deep": {"height": 0}, "n": 2}
    assert search(space=THEIRS, points_to_evaluate=[point]).suggest("t") == point
    known: list[Any] = [{"x": k / 10, "model": "a"} for k in range(11)]
    searcher = search(points_to_evaluate=known, evaluated_rewards=[abs(p["x"] - 0.75) for p in known])
    xs = [searcher.suggest(f"t{k}")["x"] for k in range(4)]
    assert all(abs(x - 0.75) < 0.3 for x in xs) and len(set(xs)) == 4


def test_an_analysis_is_known_from_the_start(tmp_path):
    before = fit(tmp_path, None, 8, {"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=3)
    space = {"x": (0, 1)}
    one, two = search(space=space, analysis=before), search(space=space)
    two.add_evaluated_trials(before, "loss")
    assert one.suggest("t") == two.suggest("t")
    assert one.suggest("t1") != search(space=space).suggest("t")
    with pytest.raises(BadArgument, match="analysis"):
        search(space={"y": (0, 1)}, analysis=before).suggest("t")


def test_it_ends_early_where_the_model_repeats_itself(tmp_path):
    space, tuning = {"x": tune.quniform(0, 1, 0.1)}, {"metric": "loss", "mode": "min"}
    grid = fit(tmp_path / "one", BayesOptSearch(random_search_steps=2, patience=2), 30, space, **tuning)
    xs = [result.config["x"] for result in grid]
    assert len(xs) == len(set(xs)) <= 11 and 0.3 in xs
    more = BayesOptSearch(random_search_steps=2, skip_duplicate=False)
    assert len(fit(tmp_path / "two", more, 14, space, **tuning)) == 14


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"random_search_steps": 0}, "random_search_steps"),
        ({"patience": 0}, "patience"),
        ({"repeat_float_precision": -1}, "repeat_float_precision"),
        ({"repeat_float_precision": True}, "repeat_float_precision"),
        ({"space": [1]}, "space"),
        ({"space": {"x": (3, 1)}}, r"space\['x'\]"),
        ({"space": {"x": tune.grid_search([1, 2])}}, "'x'"),
        ({"utility_kwargs": ["ucb"]}, "utility_kwargs"),
        ({"utility_kwargs": {"kind": "best"}}, "one of ucb, ei, poi"),
        ({"utility_kwargs": {"kapa": 1}}, "kappa"),
        ({"utility_kwargs": {"kappa": -1}}, "kappa"),
        ({"metric": ["loss", "size"], "mode": "min"}, "metric"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments).suggest("t")


def test_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bayes_opt", None)
    with pytest.raises(MissingLibrary, match=r"^BayesOptSearch needs bayes_opt: pip install 'luthier\[bayesopt\]'$"):
        BayesOptSearch()
    monkeypatch.undo()
    monkeypatch.setattr(metadata, "version", lambda package: {"bayesian-optimization": "1.4.3"}[package])
    said = r"needs bayesian-optimization>=3.0 \(1.4.3 is installed; older ones .*\): pip install 'luthier\[bayesopt\]'$"
    with pytest.raises(MissingLibrary, match=said):
        BayesOptSearch()
    monkeypatch.undo()
    assert isinstance(create_searcher("bayesopt"), BayesOptSearch)
