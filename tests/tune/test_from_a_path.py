"""ExperimentAnalysis and the results grid of an experiment that runs, that is over, and that was broken off."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from luthier import tune
from luthier.core.errors import NotAnExperiment
from tests.tune.restoring import cut, inline, stepping


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> str:
    return (
        tune.Tuner(
            stepping,
            param_space={"x": tune.grid_search([2, 1, 3])},
            tune_config=tune.TuneConfig(metric="loss", mode="min"),
            run_config=inline(tmp_path_factory.mktemp("storage")),
        )
        .fit()
        .experiment_path
    )


def grid_of(path):
    return tune.Tuner.restore(path, stepping).get_results()


def test_a_finished_one_anywhere(finished, tmp_path):
    moved = shutil.copytree(finished, tmp_path / "moved")
    for path in (moved, str(moved)):
        analysis, grid = tune.ExperimentAnalysis(path), grid_of(path)
        assert analysis.best_config == grid.get_best_result().config == {"x": 1}
        assert [t.status for t in analysis.trials] == ["TERMINATED"] * 3
        assert analysis.experiment_path == grid.experiment_path == str(moved)
        assert analysis.best_logdir.startswith(str(moved))
        assert analysis.best_checkpoint.path.startswith(str(moved)) and Path(analysis.best_checkpoint.path).is_dir()
        assert [len(frame) for frame in analysis.trial_dataframes.values()] == [10, 10, 10]
        assert list(analysis.dataframe()["step"]) == list(grid.get_dataframe()["step"]) == [10, 10, 10]
        assert (len(grid), grid.num_errors, grid.num_terminated) == (3, 0, 3)


def test_one_that_was_broken_off(finished, tmp_path):
    path = cut(finished, tmp_path / "killed", 18)
    with (next((path / "events").glob("*.jsonl"))).open("ab") as segment:
        segment.write(b'{"v":1,"first":')  # in the middle of a write
    analysis, grid = tune.ExperimentAnalysis(path), grid_of(path)
    assert [t.status for t in analysis.trials] == ["TERMINATED", "RUNNING"]
    steps = [len(frame) for frame in analysis.trial_dataframes.values()]
    assert steps[0] == 10 and 0 < steps[1] < 10
    assert [r.metrics["step"] for r in grid] == steps
    assert (grid.num_errors, grid.num_terminated) == (0, 1)
    assert grid[1].checkpoint is not None and grid[1].error is None
    assert analysis.get_best_trial("step", "max").trial_id == grid[0].trial_id


def test_one_that_has_only_just_begun(finished, tmp_path):
    path = cut(finished, tmp_path / "begun", 0)
    analysis, grid = tune.ExperimentAnalysis(path), grid_of(path)
    assert analysis.trials == [] and len(grid) == 0
    assert analysis.dataframe().empty and grid.get_dataframe().empty and analysis.results_df.empty
    with pytest.raises(tune.TuneError, match="None has reported anything"):
        grid.get_best_result()


def test_one_that_runs(tmp_path):
    def waiting(config):
        tune.report({"loss": 1.0, "step": 1})
        while not (tmp_path / "go on").exists():
            time.sleep(0.02)
        tune.report({"loss": 0.5, "step": 2})

    run_config = tune.RunConfig(storage_path=tmp_path, name="e", verbose=0, executor="process")
    config = tune.TuneConfig(metric="loss", mode="min")
    running = tune.Tuner(waiting, tune_config=config, run_config=run_config).fit(background=True)
    deadline = time.monotonic() + 60
    while not any(t.last_result for t in tune.ExperimentAnalysis(running.directory).trials):
        assert not running.done()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    analysis = tune.ExperimentAnalysis(running.directory)
    assert [(t.status, t.last_result["step"]) for t in analysis.trials] == [("RUNNING", 1)]
    assert analysis.best_result["loss"] == 1.0
    (result,) = tune.Tuner.restore(running.directory, waiting).get_results()
    assert list(result.metrics_dataframe["step"]) == [1]
    (tmp_path / "go on").touch()
    assert running.result(60)[0].metrics["step"] == 2
    assert tune.ExperimentAnalysis(running.directory).best_result["loss"] == 0.5
    assert analysis.best_result["loss"] == 1.0, "it is what was read then"


def test_what_is_none(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotAnExperiment):
            tune.ExperimentAnalysis(path)
