"""The workloads on Ray Tune.  Ray is started (2 CPUs, no dashboard) before the clock of all but the quickstart."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from benchmarks.sides import killed

if TYPE_CHECKING:
    from collections.abc import Callable


def quickstart(n: int, folder: str) -> dict[str, Any]:
    """4 trials, each in a process of its own, and the best config."""

    def objective(config):
        return {"score": config["a"] ** 2 + config["b"]}

    start = time.perf_counter()
    _start(folder)
    space = {"a": tune.grid_search([0.001, 0.01, 0.1, 1.0]), "b": tune.choice([1, 2, 3])}
    results = tune.Tuner(objective, param_space=space, run_config=tune.RunConfig(storage_path=folder)).fit()
    best = results.get_best_result(metric="score", mode="min").config
    return _done(len(results), 4, start, best=best)


def fresh(n: int, folder: str) -> dict[str, Any]:
    """*n* trivial trials, each in a process of its own."""
    return _trials(n, folder, reuse=False)


def reused(n: int, folder: str) -> dict[str, Any]:
    """*n* trivial trials in processes that take one after another."""
    return _trials(n, folder, reuse=True)


def reports(n: int, folder: str) -> dict[str, Any]:
    """2 trials in processes, each of which reports *n* times; result.json and progress.csv, no TensorBoard files."""
    from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback

    def train(config):
        for i in range(n):
            tune.report({"loss": config["x"] / (i + 1)})

    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    _start(folder)
    run_config = tune.RunConfig(storage_path=folder, verbose=0, callbacks=[JsonLoggerCallback(), CSVLoggerCallback()])
    start = time.perf_counter()
    results = tune.Tuner(train, param_space={"x": tune.grid_search([1.0, 2.0])}, run_config=run_config).fit()
    done = _done(len(results), 2, start, errors=results.num_errors)
    for result in results:
        with open(os.path.join(result.path, "result.json"), encoding="utf-8") as f:
            found = sum(1 for _ in f)
        if found != n:
            raise SystemExit(f"result.json has {found} lines instead of {n}")
    return {**done, "count": 2 * n}


def checkpoints(n: int, folder: str) -> dict[str, Any]:
    """1 trial, which reports a checkpoint of 1 MB *n* times."""
    from benchmarks.sides.saving import timed

    def train(config):
        place = tune.get_context().get_trial_dir()
        tune.report(timed(tune.report, tune.Checkpoint.from_directory, n, place))

    _start(folder)
    start = time.perf_counter()
    run_config = tune.RunConfig(storage_path=folder, verbose=0)
    results = tune.Tuner(train, run_config=run_config).fit()
    found = {name: value for name, value in (results[0].metrics or {}).items() if name.endswith("_ms")}
    return {**_done(len(results), 1, start, errors=results.num_errors), "count": n, **found}


def restore(n: int, folder: str) -> dict[str, Any]:
    """Take up an experiment whose driver was killed when *n* of its trials had ended; until the next one runs."""
    killed.begin_and_kill("benchmarks.sides.with_ray", n, folder)
    _start(folder)
    train = killed.trainable(tune, n, folder)
    start = time.time()
    results = tune.Tuner.restore(os.path.join(folder, "exp"), train).fit()
    _done(len(results), n + 2, start, errors=results.num_errors)
    return killed.came_of(n, folder, start)


def restore_begin(n: int, folder: str) -> dict[str, Any]:
    """Run the experiment, to be killed."""
    _start(folder)
    train = killed.trainable(tune, n, folder)
    run = tune.RunConfig(storage_path=folder, name="exp", verbose=0)
    goal = tune.TuneConfig(num_samples=n + 2, metric="loss", mode="min")
    tune.Tuner(train, param_space={"x": tune.uniform(0.0, 1.0)}, tune_config=goal, run_config=run).fit()
    raise SystemExit("nobody has killed it")


def _trials(n: int, folder: str, *, reuse: bool) -> dict[str, Any]:
    def objective(config):
        return {"loss": config["x"]}

    _start(folder)
    start = time.perf_counter()
    results = tune.Tuner(
        objective,
        param_space={"x": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(num_samples=n, metric="loss", mode="min", reuse_actors=reuse),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    ).fit()
    return _done(len(results), n, start, errors=results.num_errors)


def _start(folder: str) -> None:
    temporary = os.path.join(folder, "ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", _temp_dir=temporary)


def _done(count: int, wanted: int, start: float, *, errors: int = 0, **more: Any) -> dict[str, Any]:
    wall = time.perf_counter() - start
    if count != wanted or errors:
        raise SystemExit(f"{count} of {wanted} trials, {errors} of them failed")
    return {"count": count, "wall_s": wall, **more}


WORKLOADS: dict[str, Callable[[int, str], dict[str, Any]]] = {
    "quickstart": quickstart,
    "fresh": fresh,
    "reused": reused,
    "reports": reports,
    "checkpoints": checkpoints,
    "restore": restore,
    "restore-begin": restore_begin,
}

if __name__ == "__main__":
    print("\n" + json.dumps(WORKLOADS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])), flush=True)
