"""Scripts that were written for Ray Tune: what they import, and what they look at in results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from luthier import tune
from luthier.worker.notices import forget_all


class Counting(tune.Trainable):
    def setup(self, config):
        self.count = 0

    def step(self):
        self.count += 1
        return {"score": self.count}

    def save_checkpoint(self, checkpoint_dir):
        return {"count": self.count}

    def load_checkpoint(self, checkpoint):
        self.count = checkpoint["count"]


class Noting(tune.Callback):
    def __init__(self):
        self.saved = []

    def on_checkpoint(self, iteration, trials, trial, checkpoint, **info):
        self.saved.append(os.path.basename(checkpoint.path))


def run_config(tmp_path, **more):
    return tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline", **more)


@pytest.mark.parametrize(
    "statement",
    [
        "from luthier import air, train, tune; air.RunConfig, train.RunConfig, train.Checkpoint, train.get_context",
        "from luthier.air import session; session.report, session.get_checkpoint, session.get_experiment_name",
        "from luthier import tune; tune.schedulers.ASHAScheduler, tune.search.BasicVariantGenerator",
        "from luthier import tune; tune.stopper.MaximumIterationStopper, tune.error.TuneError, tune.TuneContext",
        "from luthier import tune; tune.result_grid.ResultGrid, tune.analysis.Analysis, tune.callback.Callback",
        "from luthier.tune.schedulers.async_hyperband import ASHAScheduler",
        "from luthier.tune import *; uniform, Tuner, report",
        "from luthier.tune.tune import run; from luthier import tune; assert tune.run is run",
    ],
)
def test_names_are_where_scripts_look_for_them(statement):
    subprocess.run([sys.executable, "-c", statement], check=True, timeout=60)


@pytest.mark.parametrize("old", ["session", "train"])
def test_older_ways_to_report_work_with_one_warning(tmp_path, old):
    from luthier import train
    from luthier.air import session

    reporting = {"session": session, "train": train}[old]

    def trainable(config):
        for step in range(2):
            reporting.report({"loss": config["x"] + step})

    forget_all()
    with pytest.warns(DeprecationWarning, match=rf"{old}\.report.*tune\.report") as warned:
        grid = tune.Tuner(trainable, param_space={"x": 1}, run_config=run_config(tmp_path)).fit()
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert list(grid[0].metrics_dataframe["loss"]) == [1, 2]


def test_a_result_has_the_fields_of_the_files(tmp_path):
    result = tune.Tuner(lambda config: {"loss": 1.0}, run_config=run_config(tmp_path)).fit()[0]
    assert result.metrics["checkpoint_dir_name"] is None
    assert len(result.metrics["date"]) == len("2026-01-31_23-59-59")
    assert {"date", "checkpoint_dir_name"} <= set(result.metrics_dataframe)


@pytest.mark.parametrize("reported", [float("nan"), -5, "yesterday", 1e300])
def test_a_timestamp_of_the_users_own_need_not_be_a_time(tmp_path, reported):
    def trainable(config):
        return {"loss": 1.0, "timestamp": reported}

    metrics = tune.Tuner(trainable, run_config=run_config(tmp_path)).fit()[0].metrics
    assert metrics["loss"] == 1
    assert "date" not in metrics


def test_a_checkpoint_at_the_end_came_with_the_last_result(tmp_path):
    noting = Noting()
    result = tune.Tuner(
        Counting,
        param_space={"x": 1},
        run_config=run_config(
            tmp_path,
            stop={"training_iteration": 5},
            callbacks=[noting],
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=2, num_to_keep=2),
        ),
    ).fit()[0]
    assert [metrics["score"] for _, metrics in result.best_checkpoints] == [4, 5]
    assert [metrics["config"] for _, metrics in result.best_checkpoints] == [{"x": 1}] * 2
    assert result.get_best_checkpoint("score", "max").path == result.checkpoint.path
    assert noting.saved == ["checkpoint_000000", "checkpoint_000001", "checkpoint_000002"]


def test_the_last_value_counts_though_the_last_result_lacks_it(tmp_path):
    def trainable(config):
        tune.report({"loss": config["x"]})
        tune.report({"test_accuracy": 0.5})

    grid = tune.Tuner(
        trainable,
        param_space={"x": tune.grid_search([3, 1, 2])},
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=run_config(tmp_path),
    ).fit()
    assert grid.get_best_result().config == {"x": 1}
    assert grid.get_best_result("loss", "max").config == {"x": 3}
    assert grid.get_best_result("test_accuracy", "max").config == {"x": 3}


def test_a_registered_name_with_resources_keeps_its_name(tmp_path):
    tune.register_trainable("by_name", lambda config: {"loss": config["x"]})
    analysis = tune.run(
        "by_name",
        config={"x": tune.grid_search([1, 2])},
        resources_per_trial={"cpu": 1},
        storage_path=str(tmp_path),
        executor="inline",
        verbose=0,
    )
    assert str(analysis.trials[0]).startswith("by_name_")
    assert analysis.get_best_config("loss", "min") == {"x": 1}
    assert set(analysis.get_all_configs()) == set(analysis.results) == set(analysis.trial_dataframes)


def test_an_exit_is_an_error_that_scripts_catch(tmp_path):
    def leaves(config):
        sys.exit(3)

    grid = tune.Tuner(leaves, run_config=run_config(tmp_path)).fit()
    assert isinstance(grid.errors[0], tune.TuneError)
    assert "SystemExit" in repr(grid[0])
    assert "Traceback" not in repr(grid[0])


def test_a_stop_that_nobody_reports_is_pointed_out(tmp_path, caplog):
    def trainable(config):
        for step in range(20):
            tune.report({"accuracy": step})

    def fit(name, stop):
        caplog.clear()
        tune.Tuner(trainable, run_config=run_config(tmp_path, name=name, stop=stop)).fit()
        return caplog.text

    assert "'acuracy', which no trial has reported" in fit("misspelt", {"acuracy": 5})
    assert fit("right", {"accuracy": 15, "training_iteration": 18}) == ""


@pytest.mark.parametrize("kind", ["class", "function"])
def test_the_last_row_of_a_trial_that_was_stopped_says_that_it_is_done(tmp_path, kind):
    def function(config):
        for step in range(1, 100):
            tune.report({"score": step})

    trainable = Counting if kind == "class" else function
    grid = tune.Tuner(trainable, run_config=run_config(tmp_path, stop={"score": 3}, name="e")).fit()
    file = Path(grid[0].path, "result.json")
    written = file.read_bytes()
    assert [json.loads(line)["done"] for line in written.splitlines()] == [False, False, True]
    table = Path(grid[0].path, "progress.csv").read_text()
    # Made anew from the log, they say the same.
    file.unlink()
    again = tune.Tuner.restore(tmp_path / "e", trainable).fit()
    assert (file.read_bytes(), Path(again[0].path, "progress.csv").read_text()) == (written, table)
    assert list(again[0].metrics_dataframe["done"]) == [False, False, True]
