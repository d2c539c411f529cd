"""The workloads on Luthier."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks import past
from benchmarks.sides import killed
from luthier import tune

if TYPE_CHECKING:
    from collections.abc import Callable


def quickstart(n: int, folder: str) -> dict[str, Any]:
    """4 trials, each in a process of its own, and the best config."""

    def objective(config):
        return {"score": config["a"] ** 2 + config["b"]}

    space = {"a": tune.grid_search([0.001, 0.01, 0.1, 1.0]), "b": tune.choice([1, 2, 3])}
    start = time.perf_counter()
    results = tune.Tuner(objective, param_space=space, run_config=tune.RunConfig(storage_path=folder)).fit()
    best = results.get_best_result(metric="score", mode="min").config
    return _done(len(results), 4, start, best=best)


def fresh(n: int, folder: str) -> dict[str, Any]:
    """*n* trivial trials, each in a process of its own."""
    return _trials(n, folder, reuse=False, executor="process")


def reused(n: int, folder: str) -> dict[str, Any]:
    """*n* trivial trials in processes that take one after another."""
    return _trials(n, folder, reuse=True, executor="process")


def inline(n: int, folder: str) -> dict[str, Any]:
    """*n* trivial trials in this process."""
    return _trials(n, folder, reuse=False, executor="inline")


def reports(n: int, folder: str) -> dict[str, Any]:
    """2 trials in processes, each of which reports *n* times and waits for the answer each time."""

    def train(config):
        for i in range(n):
            tune.report({"loss": config["x"] / (i + 1)})

    space = {"x": tune.grid_search([1.0, 2.0])}
    start = time.perf_counter()
    results = tune.Tuner(train, param_space=space, run_config=_run_config(folder, "process")).fit()
    done = _done(len(results), 2, start, errors=results.num_errors)
    for result in results:
        for name, lines in (("result.json", n), ("progress.csv", n + 1)):
            with open(os.path.join(result.path, name), encoding="utf-8") as f:
                found = sum(1 for _ in f)
            if found != lines:
                raise SystemExit(f"{name} has {found} lines instead of {lines}")
    return {**done, "count": 2 * n}


def checkpoints(n: int, folder: str) -> dict[str, Any]:
    """1 trial, which reports a checkpoint of 1 MB *n* times."""
    from benchmarks.sides.saving import timed

    def train(config):
        place = tune.get_context().get_trial_dir() or ""
        tune.report(timed(tune.report, tune.Checkpoint.from_directory, n, place))

    start = time.perf_counter()
    results = tune.Tuner(train, run_config=_run_config(folder, "process")).fit()
    found = {name: value for name, value in (results[0].metrics or {}).items() if name.endswith("_ms")}
    return {**_done(len(results), 1, start, errors=results.num_errors), "count": n, **found}


def restore(n: int, folder: str) -> dict[str, Any]:
    """Take up an experiment whose driver was killed when *n* of its trials had ended; until the next one runs."""
    killed.begin_and_kill("benchmarks.sides.with_luthier", n, folder)
    train = killed.trainable(tune, n, folder)
    start = time.time()
    results = tune.Tuner.restore(os.path.join(folder, "exp"), train).fit()
    _done(len(results), n + 2, start, errors=results.num_errors)
    return killed.came_of(n, folder, start)


def restore_begin(n: int, folder: str) -> dict[str, Any]:
    """Run the experiment, to be killed."""
    train = killed.trainable(tune, n, folder)
    run = tune.RunConfig(storage_path=folder, name="exp", verbose=0, resources={"cpu": 2})
    goal = tune.TuneConfig(num_samples=n + 2, metric="loss", mode="min", reuse_actors=True)
    tune.Tuner(train, param_space={"x": tune.uniform(0.0, 1.0)}, tune_config=goal, run_config=run).fit()
    raise SystemExit("nobody has killed it")


def dataframe(n: int, folder: str) -> dict[str, Any]:
    """Read an experiment of *n* trials with 10 results each into a table of their last."""
    return _table(n, folder)


def dataframe_best(n: int, folder: str) -> dict[str, Any]:
    """Read an experiment of *n* trials with 10 results each into a table of their best."""
    return _table(n, folder, filter_metric="loss", filter_mode="min")


def report(n: int, folder: str) -> dict[str, Any]:
    """Read an experiment of *n* trials with 100 results each, and write the page of its figures."""
    directory, page = os.path.join(folder, "past"), os.path.join(folder, "report.html")
    past.write(directory, n, 100)
    start = time.perf_counter()
    from luthier.plots.reading import read_chronicle
    from luthier.plots.report import report as drawn

    found = read_chronicle(directory)
    with open(page, "w", encoding="utf-8") as file:
        file.write(drawn(found))
    return _done(len(found.trials), n, start, page_mb=os.path.getsize(page) / 1e6)


def _table(n: int, folder: str, **which: str) -> dict[str, Any]:
    directory = os.path.join(folder, "past")
    past.write(directory, n, 10)
    start = time.perf_counter()
    table = tune.Tuner.restore(directory, past.train).get_results().get_dataframe(**which)
    return _done(len(table), n, start)


def _trials(n: int, folder: str, *, reuse: bool, executor: str) -> dict[str, Any]:
    def objective(config):
        return {"loss": config["x"]}

    start = time.perf_counter()
    results = tune.Tuner(
        objective,
        param_space={"x": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(num_samples=n, metric="loss", mode="min", reuse_actors=reuse),
        run_config=_run_config(folder, executor),
    ).fit()
    return _done(len(results), n, start, errors=results.num_errors)


def _run_config(folder: str, executor: str) -> tune.RunConfig:
    return tune.RunConfig(storage_path=folder, verbose=0, executor=executor, resources={"cpu": 2})


def _done(count: int, wanted: int, start: float, *, errors: int = 0, **more: Any) -> dict[str, Any]:
    wall = time.perf_counter() - start
    if count != wanted or errors:
        raise SystemExit(f"{count} of {wanted} trials, {errors} of them failed")
    return {"count": count, "wall_s": wall, **more}


WORKLOADS: dict[str, Callable[[int, str], dict[str, Any]]] = {
    "quickstart": quickstart,
    "fresh": fresh,
    "reused": reused,
    "inline": inline,
    "reports": reports,
    "checkpoints": checkpoints,
    "restore": restore,
    "restore-begin": restore_begin,
    "dataframe": dataframe,
    "dataframe-best": dataframe_best,
    "report": report,
}

if __name__ == "__main__":
    print("\n" + json.dumps(WORKLOADS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])), flush=True)
