"""The main job, through the public API, on both executors."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, ExperimentExists, PolicyError
from luthier.tune.schedulers import ASHAScheduler


@pytest.fixture(params=["inline", "process"])
def run_config(request, tmp_path):
    def make(**more):
        return tune.RunConfig(storage_path=tmp_path, verbose=0, executor=request.param, **more)

    return make


def quadratic(config):
    return {"loss": (config["x"] - 1) ** 2}


def climbing(config):
    for step in range(config.get("steps", 5)):
        tune.report({"score": config["x"] * (step + 1)})


def test_the_best_of_a_grid(run_config):
    tuner = tune.Tuner(
        quadratic,
        param_space={"x": tune.grid_search([0, 1, 2, 3])},
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=run_config(),
    )
    grid = tuner.fit()
    assert [result.config["x"] for result in grid] == [0, 1, 2, 3]
    assert [result.metrics["loss"] for result in grid] == [1, 0, 1, 4]
    best = grid.get_best_result()
    assert best.config == {"x": 1}
    assert best.metrics["done"] is True
    assert best.metrics["training_iteration"] == 1
    assert best.metrics["config"] == {"x": 1}
    assert (grid.num_terminated, grid.num_errors, grid.errors) == (4, 0, [])


def test_reports_are_all_there_in_order(run_config):
    grid = tune.Tuner(climbing, param_space={"x": tune.grid_search([1, 2])}, run_config=run_config()).fit()
    for result in grid:
        frame = result.metrics_dataframe
        assert list(frame["score"]) == [result.config["x"] * n for n in range(1, 6)]
        assert list(frame["training_iteration"]) == [1, 2, 3, 4, 5]
        lines = Path(result.path, "result.json").read_text().splitlines()
        assert [json.loads(line)["score"] for line in lines] == list(frame["score"])
        header, *rows = Path(result.path, "progress.csv").read_text().splitlines()
        assert "score" in header.split(",")
        assert len(rows) == 5
        assert json.loads(Path(result.path, "params.json").read_text()) == result.config


def test_stop_as_dict_function_and_stopper(run_config):
    class Third(tune.Stopper):
        def __call__(self, trial_id, result):
            return result["training_iteration"] >= 3

    for stop in ({"training_iteration": 3}, lambda trial_id, result: result["score"] >= 3, Third()):
        grid = tune.Tuner(climbing, param_space={"x": 1, "steps": 100}, run_config=run_config(stop=stop)).fit()
        assert grid[0].metrics["training_iteration"] == 3
        assert grid.num_terminated == 1


def test_stop_all_ends_the_experiment(run_config):
    class Once(tune.Stopper):
        seen = 0

        def __call__(self, trial_id, result):
            self.seen += 1
            return False

        def stop_all(self):
            return self.seen >= 3

    grid = tune.Tuner(
        climbing,
        param_space={"x": 1, "steps": 50},
        tune_config=tune.TuneConfig(num_samples=40),
        run_config=run_config(stop=Once()),
    ).fit()
    assert len(grid) < 40
    assert all(result.metrics.get("training_iteration", 0) < 50 for result in grid)


def test_asha_stops_the_bad_ones(run_config):
    grid = tune.Tuner(
        climbing,
        param_space={"x": tune.grid_search([8, 7, 6, 5, 4, 3, 2, 1]), "steps": 16},
        tune_config=tune.TuneConfig(
            metric="score", mode="max", scheduler=ASHAScheduler(max_t=16, reduction_factor=2), max_concurrent_trials=1
        ),
        run_config=run_config(),
    ).fit()
    steps = {result.config["x"]: result.metrics["training_iteration"] for result in grid}
    assert steps[8] == 16
    assert steps[1] == 1
    assert grid.get_best_result().config["x"] == 8
    assert grid.num_errors == 0


def test_errors_are_the_users_own(run_config):
    def fragile(config):
        if config["x"] == 1:
            raise ZeroDivisionError("x is one")
        return {"loss": config["x"]}

    grid = tune.Tuner(fragile, param_space={"x": tune.grid_search([0, 1, 2])}, run_config=run_config()).fit()
    assert (grid.num_errors, grid.num_terminated) == (1, 2)
    error = grid[1].error
    assert type(error) is ZeroDivisionError
    assert error.args == ("x is one",)
    assert [type(e) for e in grid.errors] == [ZeroDivisionError]
    text = Path(grid[1].path, "error.txt").read_text()
    assert "fragile" in text
    assert f"luthier{os.sep}worker" not in text
    assert grid.get_best_result("loss", "min").config == {"x": 0}


def test_retries_go_on_from_the_checkpoint(run_config, tmp_path):
    def flaky(config):
        start = 0
        if checkpoint := tune.get_checkpoint():
            with checkpoint.as_directory() as folder:
                start = int(Path(folder, "step").read_text())
        for step in range(start, 4):
            folder = tmp_path / "made" / str(step)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "step").write_text(str(step + 1))
            tune.report({"step": step}, checkpoint=tune.Checkpoint.from_directory(folder))
            if step == 1 and start == 0:
                raise RuntimeError("once")

    grid = tune.Tuner(flaky, run_config=run_config(failure_config=tune.FailureConfig(max_failures=1))).fit()
    result = grid[0]
    assert result.error is None
    assert list(result.metrics_dataframe["step"]) == [0, 1, 2, 3]
    assert list(result.metrics_dataframe["training_iteration"]) == [1, 2, 3, 4]
    with result.checkpoint.as_directory() as folder:
        assert Path(folder, "step").read_text() == "4"


def test_only_the_best_checkpoints_are_kept(run_config, tmp_path):
    def saving(config):
        for score in [0.1, 0.9, 0.2, 0.8, 0.3]:
            folder = tmp_path / "made"
            folder.mkdir(exist_ok=True)
            (folder / "score").write_text(str(score))
            tune.report({"score": score}, checkpoint=tune.Checkpoint.from_directory(folder))

    keep = tune.CheckpointConfig(num_to_keep=3, checkpoint_score_attribute="score")
    result = tune.Tuner(saving, run_config=run_config(checkpoint_config=keep)).fit()[0]
    assert [metrics["score"] for _, metrics in result.best_checkpoints] == [0.9, 0.8, 0.3]
    assert Path(result.get_best_checkpoint("score", "max").path, "score").read_text() == "0.9"
    kept = sorted(p.name for p in Path(result.path).iterdir() if p.name.startswith("checkpoint_"))
    assert kept == ["checkpoint_000001", "checkpoint_000003", "checkpoint_000004"]


def test_class_trainables(run_config):
    class Counter(tune.Trainable):
        def setup(self, config):
            self.total = config["start"]

        def step(self):
            self.total += 1
            return {"total": self.total, "done": self.total >= 13}

        def save_checkpoint(self, checkpoint_dir):
            Path(checkpoint_dir, "total").write_text(str(self.total))

        def load_checkpoint(self, checkpoint_dir):
            self.total = int(Path(checkpoint_dir, "total").read_text())

    grid = tune.Tuner(Counter, param_space={"start": tune.grid_search([10, 12])}, run_config=run_config()).fit()
    assert [result.metrics["total"] for result in grid] == [13, 13]
    assert [result.metrics["training_iteration"] for result in grid] == [3, 1]
    assert Path(grid[0].checkpoint.path, "total").read_text() == "13"


def test_one_seed_makes_it_all_repeatable(run_config):
    def noisy(config):
        import random

        return {"loss": config["x"] + random.random()}

    def values(seed):
        grid = tune.Tuner(
            noisy,
            param_space={"x": tune.uniform(0, 1), "y": tune.sample_from(lambda spec: spec.config.x * 2)},
            tune_config=tune.TuneConfig(num_samples=4, seed=seed),
            run_config=run_config(),
        ).fit()
        return [(result.config["x"], result.config["y"], result.metrics["loss"]) for result in grid]

    assert values(7) == values(7)
    assert values(7) != values(8)
    assert all(y == 2 * x for x, y, _ in values(7))


def test_nan_is_the_worst_and_is_kept(run_config):
    def sometimes(config):
        return {"loss": float("nan") if config["x"] else 3.0}

    grid = tune.Tuner(sometimes, param_space={"x": tune.grid_search([1, 0])}, run_config=run_config()).fit()
    assert math.isnan(grid[0].metrics["loss"])
    assert grid.get_best_result("loss", "min").config == {"x": 0}


def test_an_unknown_metric_names_what_was_reported(run_config, caplog):
    grid = tune.Tuner(
        quadratic,
        param_space={"x": 2},
        tune_config=tune.TuneConfig(metric="los", mode="min"),
        run_config=run_config(),
    ).fit()
    assert "'los'" in caplog.text
    with pytest.raises(RuntimeError, match=r"The trial has no .*'los'.*Reported were: loss.*'loss' meant"):
        grid.get_best_result()


def test_without_a_metric_nothing_is_best(run_config):
    grid = tune.Tuner(quadratic, param_space={"x": tune.grid_search([1, 2])}, run_config=run_config()).fit()
    with pytest.raises(ValueError, match="metric=None"):
        grid.get_best_result()
    with pytest.raises(ValueError, match="mode=None"):
        grid.get_best_result("loss")


def test_a_time_budget_ends_it(run_config):
    def slow(config):
        while True:
            time.sleep(0.02)
            tune.report({"t": time.time()})

    started = time.time()
    grid = tune.Tuner(slow, tune_config=tune.TuneConfig(time_budget_s=2.5), run_config=run_config()).fit()
    assert 2 < time.time() - started < 30
    assert grid.num_terminated == 1
    assert grid[0].metrics["training_iteration"] >= 2


def test_a_taken_name_is_refused_and_nothing_is_lost(run_config):
    def fit():
        return tune.Tuner(quadratic, param_space={"x": 1}, run_config=run_config(name="mine")).fit()

    first = fit()
    before = sorted(p.name for p in Path(first.experiment_path).rglob("*"))
    with pytest.raises(ExperimentExists, match=r"mine.*holds an experiment.*restore"):
        fit()
    assert sorted(p.name for p in Path(first.experiment_path).rglob("*")) == before


def test_restore_goes_on_with_what_failed(run_config, tmp_path):
    marker = tmp_path / "fixed"

    def fragile(config):
        if config["x"] == 1 and not marker.exists():
            raise RuntimeError("not yet")
        return {"loss": config["x"]}

    first = tune.Tuner(fragile, param_space={"x": tune.grid_search([0, 1])}, run_config=run_config(name="e")).fit()
    assert first.num_errors == 1
    marker.touch()
    path = first.experiment_path
    assert tune.Tuner.can_restore(path)
    assert len(tune.Tuner.restore(path, fragile).get_results()) == 2
    with pytest.raises(BadArgument, match="trainable"):
        tune.Tuner.restore(path, quadratic)
    again = tune.Tuner.restore(path, fragile, resume_errored=True).fit()
    assert (again.num_errors, len(again)) == (0, 2)
    assert again.get_best_result("loss", "max").config == {"x": 1}
    same = tune.Tuner.restore(path, fragile).fit()
    assert (same.num_terminated, len(same)) == (2, 2)


def test_fit_in_the_background(run_config, tmp_path):
    def endless(config):
        step = 0
        while True:
            step += 1
            time.sleep(0.01)
            tune.report({"step": step})
            (tmp_path / "reported").touch()

    running = tune.Tuner(endless, run_config=run_config()).fit(background=True)
    with pytest.raises(TimeoutError):
        running.result(timeout=0.05)
    assert not running.done()
    until = time.monotonic() + 60
    while not (tmp_path / "reported").exists() and time.monotonic() < until:
        time.sleep(0.02)
    running.stop()
    grid = running.result(timeout=30)
    assert running.done()
    assert grid[0].metrics["step"] >= 1
    # The trial was interrupted, not ended: it waits to go on.
    assert (grid.num_terminated, grid.num_errors) == (0, 0)


def test_a_policy_that_raises_fails_the_experiment_with_its_own_error(run_config):
    class Broken:
        def ask(self, number, rng):
            if number == 2:
                raise LookupError("nothing there")
            return {"x": number}

        def tell(self, news, experiment):
            pass

    tuner = tune.Tuner(
        quadratic, tune_config=tune.TuneConfig(search_alg=Broken(), num_samples=4), run_config=run_config()
    )
    with pytest.raises(PolicyError, match=r"Broken.ask\(2\) raised LookupError: nothing there") as raised:
        tuner.fit()
    assert isinstance(raised.value.__cause__, LookupError)
    assert [result.config for result in tuner.get_results()] == [{"x": 0}, {"x": 1}]


def test_callbacks_hear_everything_and_cannot_disturb(run_config, caplog):
    class Diary(tune.Callback):
        def __init__(self):
            self.lines = []

        def setup(self, stop=None, num_samples=None, total_num_samples=None, **info):
            self.lines.append(("setup", total_num_samples))

        def on_trial_start(self, iteration, trials, trial, **info):
            self.lines.append(("start", trial.config["x"], trial.status))

        def on_trial_result(self, iteration, trials, trial, result, **info):
            self.lines.append(("result", result["score"], len(trials)))

        def on_trial_complete(self, iteration, trials, trial, **info):
            self.lines.append(("complete", trial.status))
            raise RuntimeError("my own fault")

        def on_experiment_end(self, trials, **info):
            self.lines.append(("end", [t.status for t in trials]))

    diary = Diary()
    tune.Tuner(climbing, param_space={"x": 3, "steps": 2}, run_config=run_config(callbacks=[diary])).fit()
    assert diary.lines == [
        ("setup", 1),
        ("start", 3, "RUNNING"),
        ("result", 3, 1),
        ("result", 6, 1),
        ("complete", "TERMINATED"),
        ("end", ["TERMINATED"]),
    ]
    assert caplog.text.count("Diary.on_trial_complete raised") == 1


def test_names_and_directories(run_config):
    grid = tune.Tuner(
        quadratic,
        param_space={"x": tune.grid_search([1, 2])},
        tune_config=tune.TuneConfig(
            trial_name_creator=lambda trial: f"run {trial.config['x']}", trial_dirname_creator=lambda trial: "a:b/c"
        ),
        run_config=run_config(),
    ).fit()
    folders = [Path(result.path).name for result in grid]
    assert folders[0] == "a_b_c"
    assert folders[1] == f"a_b_c_{grid[1].trial_id}"
    assert all(Path(result.path, "params.json").exists() for result in grid)


def test_fail_fast(run_config):
    def bad(config):
        raise OverflowError("at once")

    space = {"x": tune.grid_search(list(range(50)))}
    soft = run_config(failure_config=tune.FailureConfig(fail_fast=True))
    grid = tune.Tuner(bad, param_space=space, run_config=soft).fit()
    assert len(grid) < 50
    hard = run_config(failure_config=tune.FailureConfig(fail_fast="raise"))
    with pytest.raises(OverflowError, match="at once"):
        tune.Tuner(bad, param_space=space, run_config=hard).fit()


def test_dataframe(run_config):
    grid = tune.Tuner(climbing, param_space={"x": tune.grid_search([1, -1])}, run_config=run_config()).fit()
    last = grid.get_dataframe()
    assert list(last["config/x"]) == [1, -1]
    assert list(last["score"]) == [5, -5]
    best = grid.get_dataframe(filter_metric="score", filter_mode="max")
    assert list(best["score"]) == [5, -1]
    assert list(last["logdir"]) == [result.path for result in grid]


def test_scopes(run_config):
    def bumpy(config):
        for value in config["values"]:
            tune.report({"v": value})

    space = {"values": tune.grid_search([[9, 0, 1], [5, 5, 5], [1, 1, 6]])}
    grid = tune.Tuner(bumpy, param_space=space, run_config=run_config()).fit()

    def best(scope):
        return grid.get_best_result("v", "max", scope=scope).config["values"]

    assert best("last") == [1, 1, 6]
    assert best("avg") == [5, 5, 5]
    assert best("all") == [9, 0, 1]
    assert best("last-5-avg") == [5, 5, 5]
    with pytest.raises(BadArgument, match="scope"):
        best("first")
