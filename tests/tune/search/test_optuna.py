"""OptunaSearch as users have it."""

from __future__ import annotations

import copy
import sys
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from luthier import tune
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.tune.installed import demand
from luthier.tune.search.optuna import OptunaSearch
from luthier.tune.searching import create_searcher
from tests.tune.restoring import cut, inline, length

SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}


def search(**more: Any) -> Any:
    arguments: dict[str, Any] = {"space": SPACE, "metric": "loss", "mode": "min", "seed": 7}
    return OptunaSearch(**(arguments | more))


def driven(searcher, trials=15):
    configs = []
    for k in range(trials):
        configs.append(searcher.suggest(f"t{k}"))
        searcher.on_trial_result(f"t{k}", {"loss": configs[-1]["x"] + 1})
        searcher.on_trial_complete(f"t{k}", {"loss": configs[-1]["x"]}, error=k % 5 == 4)
    return configs


def fit(tmp_path, param_space=None, **tuning):
    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline")
    config = tune.TuneConfig(**tuning)
    return tune.Tuner(train, param_space=param_space, tune_config=config, run_config=run).fit()


def train(config):
    tune.report({"loss": (config["x"] - 0.3) ** 2, "size": config["x"]})


def define(trial):
    x = trial.suggest_float("x", 0, 1)
    if trial.suggest_categorical("model/kind", ["linear", "net"]) == "net":
        trial.suggest_int("model/depth", 1, 9, log=True)
    return {"constant": 3, "large": x > 0.5}


@pytest.mark.parametrize("search_alg", ["optuna", OptunaSearch(), OptunaSearch(metric="loss", mode="min")])
def test_a_tuner_takes_it(tmp_path, search_alg):
    grid = fit(tmp_path, SPACE, metric="loss", mode="min", num_samples=30, search_alg=search_alg, seed=1)
    assert len(grid) == 30
    assert grid.get_best_result().metrics["loss"] < 0.01


def test_spaces_of_all_kinds(tmp_path):
    d = optuna.distributions
    theirs = {
        "x": d.FloatDistribution(0, 1),
        "deep/n": d.IntDistribution(1, 5),
        "c": d.CategoricalDistribution([1, "b"]),
    }
    grid = fit(tmp_path, num_samples=4, search_alg=search(space=theirs))
    assert all(1 <= r.config["deep"]["n"] <= 5 and r.config["c"] in (1, "b") for r in grid)
    grid = fit(tmp_path, {"own": 1}, num_samples=12, search_alg=search(space=define))
    configs = [r.config for r in grid]
    assert all(c["constant"] == 3 and c["own"] == 1 and c["large"] is (c["x"] > 0.5) for c in configs)
    assert all(("depth" in c["model"]) is (c["model"]["kind"] == "net") for c in configs)
    assert {c["model"]["kind"] for c in configs} == {"linear", "net"}


def test_driven_by_hand_it_is_repeatable_and_a_copy_begins_anew():
    one = search()
    assert driven(one) == driven(search()) == driven(copy.deepcopy(one))
    assert driven(search(seed=8)) != driven(search())
    assert driven(search(sampler=optuna.samplers.RandomSampler())) == driven(
        search(sampler=optuna.samplers.RandomSampler(seed=5))
    )


@pytest.mark.parametrize("more", [{}, {"space": define}, {"sampler": optuna.samplers.NSGAIISampler(population_size=4)}])
def test_saved_and_restored_it_goes_on_as_if_nothing_had_been(tmp_path, more):
    one, two = search(**more), search(**more)
    driven(one)
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"new{k}") for k in range(4)] == [two.suggest(f"new{k}") for k in range(4)]


def test_points_go_first_and_known_ones_are_not_tried_again():
    assert search(points_to_evaluate=[{"x": 0.25}]).suggest("t")["x"] == 0.25
    assert search(space=define, points_to_evaluate=[{"x": 0.25}]).suggest("t")["x"] == 0.25
    for space, extra in ((SPACE, {"model": "a"}), (define, {"model": {"kind": "linear"}})):
        known: list[Any] = [{"x": k / 10, **extra} for k in range(11)]
        searcher = search(space=space, points_to_evaluate=known, evaluated_rewards=[abs(p["x"] - 0.8) for p in known])
        xs = sorted(searcher.suggest(f"t{k}")["x"] for k in range(9))
        assert abs(xs[4] - 0.8) < 0.15
    with pytest.raises(BadArgument, match="points_to_evaluate"):
        search(space=define, points_to_evaluate=[{"x": 1}], evaluated_rewards=[1.0]).suggest("t")
    searcher = search()
    searcher.add_evaluated_point({"x": 0.5, "model": "a"}, 0.5)
    searcher.add_evaluated_point({"x": 0.5, "model": "a"}, 0.5, error=True)
    searcher.suggest("t")


def test_a_study_in_a_storage_goes_on(tmp_path):
    """Trials of an earlier experiment count, and each of ours is there once with its own values."""
    url = f"sqlite:///{tmp_path}/study.db"
    for turn in (1, 2):
        arguments = {"metric": "size", "mode": "max", "storage": url, "study_name": "s", "seed": turn}
        fit(tmp_path, num_samples=6, search_alg=search(**arguments))
        states = [t.state for t in optuna.load_study(study_name="s", storage=url).trials]
        assert states == [TrialState.COMPLETE] * 6 * turn
    study = optuna.load_study(study_name="s", storage=url)
    assert study.best_value == max(t.params["x"] for t in study.trials)


def test_a_proposal_cut_short_by_a_kill_is_known_for_our_own(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/study.db"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(optuna.samplers.TPESampler, "sample_independent", killed)  # the trial is made by then
        with pytest.raises(KeyboardInterrupt):
            search(storage=url).suggest("a")
    search(storage=url).suggest("a")
    trials = optuna.load_study(study_name="optuna", storage=url).trials
    assert [t.state for t in trials] == [TrialState.FAIL, TrialState.RUNNING]


def test_what_is_enqueued_in_a_storage_comes_first(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    optuna.create_study(storage=url, study_name="optuna").enqueue_trial({"x": 0.125})
    asked = search(storage=url)
    assert asked.suggest("a")["x"] == 0.125
    assert asked.suggest("b")["x"] != 0.125


def test_what_a_stop_condition_ends_is_complete(tmp_path):
    storage = optuna.storages.InMemoryStorage()

    def steps(config):
        for _ in range(9):
            tune.report({"loss": config["x"]})

    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline", stop={"training_iteration": 2})
    config = tune.TuneConfig(num_samples=3, search_alg=search(storage=storage))
    tune.Tuner(steps, tune_config=config, run_config=run).fit()
    trials = optuna.load_study(study_name="optuna", storage=storage).trials
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 3
    assert all(list(t.intermediate_values) == [1, 2] for t in trials)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"sampler": "tpe"}, "sampler"),
        ({"storage": 3}, "storage"),
        ({"study_name": 3}, "study_name"),
        ({"space": [("x", 1)]}, "space"),
        ({"space": lambda trial: [1]}, "space"),
        ({"space": {"x": tune.grid_search([1, 2])}}, "'x'"),
        ({"mode": "up"}, "mode"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments).suggest("t")


def test_a_grid_of_the_tuners_is_refused(tmp_path):
    with pytest.raises(BadArgument, match="'x'"):
        fit(tmp_path, {"x": tune.grid_search([1, 2])}, metric="loss", mode="min", search_alg="optuna")


@pytest.mark.parametrize(("kind", "module"), [("CmaEsSampler", "cmaes"), ("GPSampler", "torch")])
def test_what_a_sampler_needs_is_named_before_any_trial(kind, module, monkeypatch):
    sampler = getattr(optuna.samplers, kind)()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingLibrary, match=rf"OptunaSearch\(sampler={kind}\(\)\) needs {module}: pip install"):
        OptunaSearch(sampler=sampler)


def test_an_old_release_is_named():
    with pytest.raises(MissingLibrary, match="optuna>=99"):
        demand("OptunaSearch", "optuna", "optuna", "99.0")
    demand("OptunaSearch", "optuna", "optuna", "3.6rc1")
    assert isinstance(create_searcher("optuna"), OptunaSearch)


@pytest.mark.parametrize("space", [define, {"x": optuna.distributions.FloatDistribution(0, 1)}])
def test_a_space_of_theirs_is_kept_for_restoring(tmp_path, space):
    config = tune.TuneConfig(num_samples=16, search_alg=search(space=space))
    whole = tune.Tuner(train, tune_config=config, run_config=inline(tmp_path / "whole")).fit()
    broken = cut(whole.experiment_path, tmp_path / "broken", length(whole.experiment_path) // 2)
    again = tune.Tuner.restore(str(broken), train, run_config=tune.RunConfig(verbose=0, executor="inline")).fit()
    assert [r.config for r in again] == [r.config for r in whole]
