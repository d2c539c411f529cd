"""The first day with schedulers: people see what happened, and are told what is amiss."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.schedulers import MedianStoppingRule, PopulationBasedTraining
from luthier.tune.stopper import MaximumIterationStopper

MUTATIONS = {"time_attr": "training_iteration", "perturbation_interval": 2, "hyperparam_mutations": {"lr": [0.1, 0.2]}}


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
    scheduler = PopulationBasedTraining(**MUTATIONS)
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


