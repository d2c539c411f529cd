from __future__ import annotations

from typing import Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.plots.catalogue import FIGURES
from luthier.plots.reading import read_chronicle
from luthier.tune.pictures import Pictures


def train(config):
    for step in range(3):
        tune.report({"loss": config["x"] ** 2 / (step + 1), "acc": 1 - config["x"]})


def tuned(tmp_path, goal, **more):
    config = tune.TuneConfig(num_samples=8, seed=1, **goal)
    run = tune.RunConfig(storage_path=tmp_path, name="here", verbose=0, executor="inline")
    space = {"x": tune.uniform(0, 1), "opt": tune.choice(["a", "b"])}
    return tune.Tuner(train, param_space=space, tune_config=config, run_config=run).fit()


@pytest.fixture
def grid(tmp_path):
    return tuned(tmp_path, {"metric": "loss", "mode": "min"})


def test_there_is_a_method_for_every_figure():
    methods = {name.removeprefix("plot_") for name in vars(Pictures) if name.startswith("plot_")}
    assert methods == set(FIGURES)


@pytest.mark.parametrize("name", list(FIGURES))
def test_methods_draw_what_functions_draw(grid, name, monkeypatch):
    monkeypatch.setattr("luthier.plots.forest.TREES", 4)
    figure = getattr(grid, f"plot_{name}")()
    assert figure == FIGURES[name].draw(read_chronicle(grid.experiment_path))


def test_another_metric_is_read_when_asked_for(grid):
    figure = grid.plot_learning_curves("acc", "max")
    x = grid[0].config["x"]
    assert [float(y) for y in figure.data[0].y] == [1 - x] * 3
    assert grid.plot_optimization_history("acc", "max").layout.yaxis.title.text == "acc"
    assert [trace.name for trace in grid.plot_pareto_front(["loss", "acc"], ["min", "max"]).data][-1] == "Pareto front"
    with pytest.raises(BadArgument, match="metric='losss' cannot be used: give one of loss, acc"):
        grid.plot_slice("losss")


def test_one_parameter_may_be_named_without_a_list(grid):
    assert grid.plot_slice(params="x") == grid.plot_slice(params=["x"])
    with pytest.raises(BadArgument, match="params='lr' cannot be used: give some of x"):
        grid.plot_slice(params="lr")


def test_the_log_is_read_once(grid, monkeypatch):
    count: list[Any] = []

    def reading(*args):
        count.append(args)
        return read_chronicle(*args)

    monkeypatch.setattr("luthier.plots.reading.read_chronicle", reading)
    for _ in range(2):
        grid.plot_slice()
        grid.plot_timeline()
    assert len(count) == 1
    grid.plot_learning_curves("acc")
    grid.plot_slice()
    grid.plot_slice("acc")
    assert len(count) == 2


def test_from_a_directory(grid):
    analysis = tune.ExperimentAnalysis(grid.experiment_path, default_metric="acc", default_mode="max")
    history = analysis.plot_optimization_history()
    assert [float(y) for y in history.data[-1].y][-1] == max(1 - result.config["x"] for result in grid)
    restored = tune.Tuner.restore(grid.experiment_path, train).get_results()
    assert restored.plot_edf() == grid.plot_edf()


def test_without_a_goal_the_first_metric_is_taken(tmp_path):
    grid = tuned(tmp_path, {})
    assert grid.plot_learning_curves().layout.yaxis.title.text == "loss"


def test_the_report(grid, tmp_path):
    grid.save_report(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "<h1>here</h1>" in text and 'id="param_importances"' in text
