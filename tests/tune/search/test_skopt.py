"""SkOptSearch as users have it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import skopt
from skopt.space import Real

from luthier import tune
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.tune.search.skopt import SkOptSearch
from luthier.tune.searching import create_searcher
from tests.tune.restoring import cut, inline, length

SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}
THEIRS = {"x": (0.0, 20.0), "deep/height": (-100, 100), "kind": ["a", "b"]}
NAMES = ["x", "deep/height"]


def optimizer(**more: Any) -> Any:
    return skopt.Optimizer([(0.0, 20.0), (-100, 100)], **({"n_initial_points": 3, "random_state": 5} | more))


def search(**more: Any) -> Any:
    return SkOptSearch(**({"space": SPACE, "metric": "loss", "mode": "min"} | more))


def theirs(more: dict[str, Any] | None = None, **arguments: Any) -> Any:
    return search(optimizer=optimizer(**more or {}), **({"space": NAMES} | arguments))


def driven(searcher, trials=6):
    configs = []
    for k in range(trials):
        configs.append(searcher.suggest(f"t{k}"))
        searcher.on_trial_complete(f"t{k}", {"loss": configs[-1]["x"]}, error=k % 5 == 4)
    return configs


def train(config):
    tune.report({"loss": (config["x"] - 0.3) ** 2})


def fit(tmp_path, search_alg, num_samples, param_space=None, **tuning):
    config = tune.TuneConfig(num_samples=num_samples, search_alg=search_alg, **tuning)
    return tune.Tuner(train, param_space=param_space, tune_config=config, run_config=inline(tmp_path)).fit()


def test_its_arguments_are_rays():
    found = {name: p.default for name, p in list(inspect.signature(SkOptSearch).parameters.items())[:7]}
    names = ["optimizer", "space", "metric", "mode", "points_to_evaluate", "evaluated_rewards"]
    assert found == dict.fromkeys(names) | {"convert_to_python": True}


@pytest.mark.parametrize("search_alg", ["skopt", SkOptSearch(seed=3)])
def test_a_tuner_takes_it(tmp_path, search_alg):
    grid = fit(tmp_path, search_alg, 16, SPACE | {"c": 3}, metric="loss", mode="min", seed=1)
    assert len(grid) == 16 and all(result.config["c"] == 3 for result in grid)
    assert grid.get_best_result().metrics["loss"] < 1e-2


def test_dimensions_of_theirs_in_a_tuners_space(tmp_path):
    grid = fit(tmp_path, SkOptSearch(), 3, {"x": Real(5, 6), "c": 3}, metric="loss", mode="min", seed=1)
    assert all(5 <= result.config["x"] <= 6 and result.config["c"] == 3 for result in grid)


@pytest.mark.parametrize("made", [lambda **more: search(space=THEIRS, seed=7, **more), theirs])
def test_driven_by_hand_it_is_repeatable_and_can_be_saved(tmp_path, made):
    one, two = made(), made()
    first = driven(one)
    assert all(0 <= config["x"] <= 20 and type(config["deep"]["height"]) is int for config in first)
    assert first == driven(made())
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"new{k}") for k in range(2)] == [two.suggest(f"new{k}") for k in range(2)]


def test_a_users_optimizer_in_a_tuner_restored_in_the_middle(tmp_path):
    whole = fit(tmp_path / "whole", theirs(), 10, {"constant": 3})
    assert all(result.config["constant"] == 3 for result in whole)
    broken = cut(whole.experiment_path, tmp_path / "broken", length(whole.experiment_path) // 2)
    again = tune.Tuner.restore(str(broken), train, run_config=tune.RunConfig(verbose=0, executor="inline")).fit()
    assert [r.config for r in again] == [r.config for r in whole]


def test_what_a_users_optimizer_was_told_is_known():
    told = optimizer(n_initial_points=10)
    points = [[float(k), 0] for k in range(0, 20, 2)]
    told.tell(points, [abs(point[0] - 15) for point in points])
    searcher = search(optimizer=told, space=NAMES)
    xs = [searcher.suggest(f"t{k}")["x"] for k in range(3)]
    assert sum(abs(x - 15) < 3 for x in xs) >= 2


def test_names_may_be_the_dimensions_own():
    named = skopt.Optimizer([Real(0, 1, name="x"), Real(1, 2, name="y")])
    assert set(search(optimizer=named, space=None).suggest("t")) == {"x", "y"}


def test_the_seed_is_the_arguments_then_the_optimizers_then_the_tuners():
    first = [search(**more).suggest("t") for more in ({"seed": 1}, {"seed": 2}, {})]
    assert first[0] != first[1]
    other = [theirs().suggest("t"), theirs({"random_state": 6}).suggest("t"), theirs(seed=6).suggest("t")]
    assert other[0] != other[1] == other[2]


def test_points_go_first_as_dicts_or_lists():
    point = {"x": 5.0, "deep": {"height": 7}, "kind": "b"}
    assert search(space=THEIRS, points_to_evaluate=[point]).suggest("t") == point
    assert search(space=THEIRS, points_to_evaluate=[[5.0, 7, "b"]]).suggest("t") == point
    assert theirs(points_to_evaluate=[[5.0, 7]]).suggest("t") == {"x": 5.0, "deep": {"height": 7}}
    known: list[Any] = [[2.0 * k, 0] for k in range(11)]
    searcher = theirs(points_to_evaluate=known, evaluated_rewards=[abs(point[0] - 15) for point in known])
    assert sum(abs(searcher.suggest(f"t{k}")["x"] - 15) < 3 for k in range(3)) >= 2
    with pytest.raises(BadArgument, match="x, deep/height"):
        theirs(points_to_evaluate=[[5.0]])


def test_tuples_are_ranges_only_in_a_space_of_its_own():
    searcher = SkOptSearch()
    searcher.set_search_properties("loss", "min", {"x": tune.uniform(0, 1), "layers": (64, 32)})
    assert searcher.suggest("t")["layers"] == (64, 32)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"optimizer": "GP"}, "optimizer"),
        ({"optimizer": optimizer(), "space": None}, "names"),
        ({"optimizer": optimizer(), "space": {"x": (0, 1)}}, "names"),
        ({"optimizer": optimizer(), "space": ["x"]}, "2 dimensions"),
        ({"optimizer": optimizer(), "space": ["x", "x"]}, "2 dimensions"),
        ({"optimizer": optimizer(acq_func="EIps"), "space": NAMES}, "acq_func"),
        ({"n_initial_points": 0}, "n_initial_points"),
        ({"space": ["x", "y"]}, "only with an optimizer"),
        ({"space": {"x": (3, 1)}}, r"space\['x'\]"),
        ({"space": {"x": tune.grid_search([1, 2])}}, "'x'"),
        ({"metric": ["loss", "size"], "mode": "min"}, "metric"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments).suggest("t")


def test_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skopt", None)
    with pytest.raises(MissingLibrary, match=r"^SkOptSearch needs skopt: pip install 'luthier\[skopt\]'$"):
        SkOptSearch()
    monkeypatch.undo()
    assert isinstance(create_searcher("skopt"), SkOptSearch)
