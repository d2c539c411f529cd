"""The first day with schedulers: people see what happened, and are told what is amiss."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from luthier import tune
from luthier.cli import commands as main
from luthier.core.errors import BadArgument, PolicyError
from luthier.tune.schedulers import ASHAScheduler, MedianStoppingRule, PopulationBasedTraining
from luthier.tune.stopper import MaximumIterationStopper

MUTATIONS: dict[str, Any] = {
    "time_attr": "training_iteration",
    "perturbation_interval": 2,
    "hyperparam_mutations": {"lr": [0.1, 0.2]},
}


class Climber(tune.Trainable):
    def setup(self, config):
        self.height = 0.0

    def step(self):
        self.height += self.config["lr"]
        return {"score": self.height, "lr": self.config["lr"]}

    def save_checkpoint(self, directory):
        return {"height": self.height}

    def load_checkpoint(self, checkpoint):
        self.height = checkpoint["height"]


def fitted(trainable, path, scheduler=None, stop=None, **more):
    run = tune.RunConfig(name="e", storage_path=str(path), executor="inline", verbose=0, stop=stop)
    config = tune.TuneConfig(scheduler=scheduler, **more)
    return tune.Tuner(trainable, param_space={"lr": tune.uniform(0, 1)}, tune_config=config, run_config=run).fit()


def test_each_row_has_the_config_it_was_reported_under(tmp_path):
    scheduler = PopulationBasedTraining(**MUTATIONS, synch=True)  # which trials copy does not hang on who is first
    run = tune.RunConfig(name="e", storage_path=str(tmp_path), verbose=0, stop={"training_iteration": 9})
    config = tune.TuneConfig(scheduler=scheduler, metric="score", mode="max", num_samples=4, seed=1)
    grid = tune.Tuner(
        tune.with_resources(Climber, {"cpu": 0.1}),
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=config,
        run_config=run,
    ).fit()
    frames = [result.metrics_dataframe for result in grid]
    frames += tune.ExperimentAnalysis(grid.experiment_path).trial_dataframes.values()
    assert any(frame["config/lr"].nunique() > 1 for frame in frames)
    for frame in frames:
        assert (frame["config/lr"] == frame["lr"]).all()
    for result in grid:
        with open(f"{result.path}/result.json") as file:
            told = [json.loads(line)["config"]["lr"] for line in file]
        assert result.metrics_dataframe["config/lr"].tolist() == told
        for _, metrics in result.best_checkpoints:
            assert metrics["config"]["lr"] == metrics["lr"]
    best = grid.get_dataframe("score", "min")  # the first result of each, from before any change
    assert (best["config/lr"] == best["lr"]).all()


@pytest.mark.parametrize(
    ("base", "method", "arguments"),
    [
        (PopulationBasedTraining, "_get_new_config", MUTATIONS),
        (PopulationBasedTraining, "_quantiles", MUTATIONS),
        (MedianStoppingRule, "_median_result", {}),
    ],
)
def test_inner_methods_of_ray_that_nobody_calls_are_refused(tmp_path, base, method, arguments):
    scheduler = type("Mine", (base,), {method: lambda self, *args: None})(**arguments)
    with pytest.raises(BadArgument, match=f"Mine overrides {method}"):
        fitted(Climber, tmp_path, scheduler, metric="score", mode="max")


def test_a_stopper_class_is_not_a_stopper(tmp_path):
    with pytest.raises(BadArgument, match=r"an instance, MaximumIterationStopper\(\.\.\.\)"):
        fitted(Climber, tmp_path, stop=MaximumIterationStopper)


def test_the_command_is_a_module_too():
    told = subprocess.run(
        [sys.executable, "-m", "luthier", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "Usage: luthier" in told.stdout


def rising(config):
    for step in range(1, 4):
        tune.report({"score": step * config["lr"]})


def test_a_scheduler_may_be_the_only_one_to_name_the_metric(tmp_path, capsys):
    grid = fitted(rising, tmp_path, ASHAScheduler(metric="score", mode="max"), num_samples=3)
    assert grid.get_best_result().metrics["score"] == max(result.metrics["score"] for result in grid)
    main.luthier(["show", grid.experiment_path], standalone_mode=False)
    assert "with score =" in capsys.readouterr().out
    again = tune.Tuner.restore(grid.experiment_path, rising, tune_config=tune.TuneConfig(num_samples=4)).fit()
    assert len(again) == 4
    other = tune.TuneConfig(scheduler=ASHAScheduler(metric="loss", mode="min"))
    with pytest.raises(BadArgument, match="judged by 'score', 'max'"):
        tune.Tuner.restore(grid.experiment_path, rising, tune_config=other)


def test_a_misspelt_metric_of_a_scheduler_is_told(tmp_path, caplog):
    fitted(rising, tmp_path, ASHAScheduler(metric="scor", mode="max"))
    assert "Is 'score' meant?" in caplog.text


def test_a_stop_key_that_nobody_reports_is_told_when_a_trial_ends(tmp_path, caplog):
    fitted(rising, tmp_path, stop={"training_iter": 2})
    told = [record for record in caplog.messages if "'training_iter'" in record]
    assert len(told) == 1 and "reported were: score" in told[0] and "'training_iteration' meant?" in told[0]


def test_what_failed_is_said_at_the_end_and_shown_until_it_goes_on(tmp_path, capsys):
    class Broken(ASHAScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            raise KeyError("no such thing")

    run = tune.RunConfig(name="e", storage_path=str(tmp_path), executor="inline", verbose=1)
    config = tune.TuneConfig(scheduler=Broken(), metric="score", mode="max")
    with pytest.raises(PolicyError, match=r"Broken.*no such thing"):
        tune.Tuner(rising, param_space={"lr": 1}, tune_config=config, run_config=run).fit()
    told = capsys.readouterr()
    text = told.out + told.err
    assert "What failed: PolicyError: Broken" in text and "When that is put right" in text
    assert "To go on where it stopped" not in text
    main.luthier(["show", str(tmp_path / "e")], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "e: failed" in shown and "failed: PolicyError: Broken" in shown
    repaired = tune.TuneConfig(scheduler=ASHAScheduler())
    tune.Tuner.restore(str(tmp_path / "e"), rising, tune_config=repaired).fit()
    main.luthier(["show", str(tmp_path / "e")], standalone_mode=False)
    assert "e: finished" in capsys.readouterr().out
