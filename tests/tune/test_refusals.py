"""Bad input is refused before anything starts, with a text that says what would do."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier import tune
from luthier.core.errors import BadArgument, RecursiveDependencyError, StoreFailed
from luthier.tune.schedulers import ASHAScheduler, create_scheduler
from luthier.tune.stopper import ExperimentPlateauStopper, TrialPlateauStopper


def objective(config):
    return {"loss": 1.0}


class Stepping(tune.Trainable):
    def step(self):
        return {"loss": 1.0}


def fit(trainable=objective, space=None, *, storage, executor="process", tune_more=None, **run_more):
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(**(tune_more or {})),
        run_config=tune.RunConfig(storage_path=storage, verbose=0, executor=executor, **run_more),
    ).fit()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"metric": "loss"}, "mode=None"),
        ({"mode": "min"}, "metric=None"),
        ({"mode": "maximum"}, "mode='maximum'"),
        ({"metric": 3, "mode": "min"}, "metric=3"),
        ({"num_samples": 0}, "num_samples=0"),
        ({"num_samples": 2.5}, r"num_samples=2\.5"),
        ({"max_concurrent_trials": -1}, "max_concurrent_trials=-1"),
        ({"time_budget_s": 0}, "time_budget_s=0"),
        ({"time_budget_s": "an hour"}, "time_budget_s='an hour'"),
        ({"seed": "seven"}, "seed='seven'"),
        ({"search_alg": "no such"}, "search_alg='no such'"),
        ({"search_alg": 3}, "search_alg=3"),
        ({"scheduler": "no such"}, "scheduler='no such'"),
        ({"scheduler": object()}, "scheduler=<object"),
        ({"scheduler": ASHAScheduler()}, "metric=None"),
        ({"scheduler": ASHAScheduler(metric="a", mode="min"), "metric": "b", "mode": "min"}, "metric='a'"),
        ({"chdir_to_trial_dir": True}, "chdir_to_trial_dir=True"),
    ],
)
def test_tune_config(arguments, says, tmp_path):
    with pytest.raises(BadArgument, match=says):
        fit(storage=tmp_path, tune_more=arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "a/b"}, "name='a/b'"),
        ({"name": ""}, "name=''"),
        ({"stop": 3}, "stop=3"),
        ({"stop": lambda r: True}, r"stop=.* it takes \(r\), and gets the trial's id and the result, by position"),
        ({"stop": lambda a, b, c: True}, r"stop=.* it takes \(a, b, c\)"),
        ({"stop": lambda *, trial_id, result: True}, "stop=.* by position"),
        ({"stop": {"loss": "low"}}, r"stop\['loss'\]='low'"),
        ({"executor": "threads"}, "executor='threads'"),
        ({"start_method": "clone"}, "start_method='clone'"),
        ({"storage_path": "s3://bucket"}, "storage_path='s3://bucket'"),
        ({"resources": {"cpu": -1}}, r"resources\['cpu'\]=-1"),
        ({"resources": {"cpu": "two"}}, r"resources\['cpu'\]='two'"),
        ({"callbacks": [print]}, r"callbacks\[0\]"),
        ({"callbacks": tune.Callback()}, r"callbacks=.* cannot be used: give a list"),
        ({"failure_config": 3}, "failure_config=3"),
        ({"verbose": -1}, "verbose=-1"),
        ({"checkpoint_config": tune.CheckpointConfig(checkpoint_frequency=2)}, "checkpoint_frequency=2"),
    ],
)
def test_run_config(arguments, says, tmp_path):
    given = {"storage_path": tmp_path, "verbose": 0, "executor": "inline", **arguments}
    with pytest.raises(BadArgument, match=says):
        tune.Tuner(objective, run_config=tune.RunConfig(**given)).fit()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: tune.FailureConfig(max_failures=-2), "max_failures=-2"),
        (lambda: tune.FailureConfig(fail_fast="now"), "fail_fast='now'"),
        (lambda: tune.FailureConfig(max_failures=1, fail_fast=True), "max_failures=1"),
        (lambda: tune.CheckpointConfig(num_to_keep=0), "num_to_keep=0"),
        (lambda: tune.CheckpointConfig(checkpoint_score_order="best"), "checkpoint_score_order='best'"),
        (lambda: tune.CheckpointConfig(checkpoint_frequency=-1), "checkpoint_frequency=-1"),
        (lambda: ASHAScheduler(max_t=0), "max_t=0"),
        (lambda: ASHAScheduler(reduction_factor=1), "reduction_factor=1"),
        (lambda: ASHAScheduler(mode="up"), "mode='up'"),
    ],
)
def test_other_configs(make, says):
    with pytest.raises(BadArgument, match=says):
        make()


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({"x": lambda: tune.uniform(2, 1)}, "lower|upper"),
        ({"x": lambda: tune.loguniform(0, 1)}, "lower"),
        ({"x": lambda: tune.quniform(0, 1, 0)}, "q=0"),
        ({"x": lambda: tune.choice([])}, "choice|categories|options"),
        ({"x": lambda: tune.grid_search([])}, "grid"),
    ],
)
def test_domains(space, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        fit(space={"x": space["x"]()}, storage=tmp_path, executor="inline")


@pytest.mark.parametrize("trainable", [None, 3, os, object(), "never registered", int, lambda: 1, lambda a, b, c: 1])
def test_trainables(trainable, tmp_path):
    with pytest.raises((ValueError, TypeError, tune.TuneError), match=r"trainable|Trainable"):
        fit(trainable, storage=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unpicklable_trainable_is_named(tmp_path):
    import threading

    lock = threading.Lock()

    def locked(config):
        with lock:
            return {"loss": 1}

    with pytest.raises(BadArgument, match=r"'lock'"):
        fit(locked, storage=tmp_path, name="mine")
    assert list(tmp_path.iterdir()) == []  # the name is not taken


def test_what_this_machine_can_never_give(tmp_path):
    with pytest.raises(BadArgument, match=r"4096 cpu.*this machine has"):
        fit(tune.with_resources(objective, {"cpu": 4096}), storage=tmp_path)
    with pytest.raises(BadArgument, match=r"4096 cpu.*this machine has"):
        fit(tune.with_resources(Stepping, {"cpu": 4096}), storage=tmp_path)
    with pytest.raises(BadArgument, match=r"1 licence"):
        fit(tune.with_resources(objective, {"licence": 1}), storage=tmp_path)
    greedy = tune.with_resources(objective, lambda config: {"cpu": config["cpus"]})
    grid = fit(greedy, {"cpus": tune.grid_search([1, 4096])}, storage=tmp_path)
    assert (grid.num_terminated, grid.num_errors) == (1, 1)
    assert "4096 cpu" in str(grid[1].error)
    owned = fit(tune.with_resources(objective, {"licence": 1}), storage=tmp_path, resources={"licence": 1})
    assert owned.num_terminated == 1


def test_an_unwritable_storage_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadArgument, match="storage_path"):
        fit(storage=tmp_path / "file")
    if os.geteuid() != 0:
        os.chmod(tmp_path, 0o500)
        with pytest.raises(BadArgument, match="storage_path"):
            fit(storage=tmp_path)


def test_functions_in_a_space_are_tried_before_anything_is_written(tmp_path):
    circle = {"a": tune.sample_from(lambda c: c["b"]), "b": tune.sample_from(lambda c: c["a"])}
    with pytest.raises(RecursiveDependencyError, match=r"a.*b"):
        fit(space=circle, storage=tmp_path)
    with pytest.raises(BadArgument, match=r"param_space\['a'\].*ZeroDivisionError"):
        fit(space={"a": tune.sample_from(lambda spec: 1 / 0)}, storage=tmp_path)
    with pytest.raises(BadArgument, match=r"param_space.*lock"):
        fit(space={"a": {"lock": __import__("threading").Lock()}}, storage=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_time_budget_may_be_a_timedelta():
    assert tune.TuneConfig(time_budget_s=timedelta(minutes=1)).time_budget_s == 60.0


def test_an_empty_space_is_one_trial(tmp_path):
    assert len(fit(space={}, storage=tmp_path, executor="inline")) == 1
    assert Path(tmp_path).exists()


def test_a_disk_without_room_for_the_experiment(tmp_path, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFailed, match=r"tuner\.pkl cannot be written: No space left on device\. Give a storage"):
        fit(storage=tmp_path, name="full")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_file_system_can_say():
    with pytest.raises(BadArgument, match="half a character"):
        tune.RunConfig(name="\ud800")


ARRAYS = [np.array([1, 2]), np.array([]), np.array(["min"])]


@pytest.mark.parametrize("array", ARRAYS, ids=str)
@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        *(
            (kind, name)
            for kind in ("asha", "hyperband", "hb_bohb", "median_stopping_rule")
            for name in ("metric", "mode")
        ),
        *((kind, "stop_last_trials") for kind in ("asha", "hyperband", "hb_bohb")),
        ("median_stopping_rule", "hard_stop"),
        *(("pbt", name) for name in ("metric", "mode", "synch", "require_attrs")),
        *(("pb2", name) for name in ("synch", "require_attrs")),
    ],
)
def test_arrays_for_schedulers(kind, argument, array):
    more = {"pbt": {"hyperparam_mutations": {"x": [1, 2]}}, "pb2": {"hyperparam_bounds": {"x": [0, 1]}}}.get(kind, {})
    with pytest.raises(BadArgument, match=rf"^{argument}=array"):
        create_scheduler(kind, **{**more, argument: array})


@pytest.mark.parametrize("factors", [np.array(3), np.array([]), 3, "ab", ()])
def test_perturbation_factors(factors):
    with pytest.raises(BadArgument, match="perturbation_factors="):
        create_scheduler("pbt", hyperparam_mutations={"x": [1, 2]}, perturbation_factors=factors)


@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_arrays_for_stoppers(array):
    with pytest.raises(BadArgument, match="mode=array"):
        TrialPlateauStopper("m", metric_threshold=1, mode=array)
    with pytest.raises(BadArgument, match="mode=array"):
        ExperimentPlateauStopper("m", mode=array)


@pytest.mark.parametrize("name", [[], {}, 1, None, b"asha", np.array([1, 2])])
def test_no_name_of_a_scheduler(name):
    with pytest.raises(TypeError, match=r"scheduler=.*give one of"):
        create_scheduler(name)


@pytest.mark.parametrize("given", ["yes", None, 2, []])
def test_what_is_neither_true_nor_false(given):
    with pytest.raises(BadArgument, match=r"stop_last_trials=.*give True or False"):
        ASHAScheduler(stop_last_trials=given)
    trues: list[Any] = [True, np.True_, 1]
    assert [ASHAScheduler(stop_last_trials=true).stop_last_trials for true in trues] == [True, True, True]
