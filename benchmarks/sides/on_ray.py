"""Luthier and Ray Tune at the same work on one Ray cluster that runs already, and what a call of an actor takes.

``python -m benchmarks.sides.on_ray SIDE WORKLOAD N FOLDER ADDRESS`` prints one line of JSON.  The connection stands
before the clock of all but the quickstart begins.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from typing import Any


class Side:
    """Luthier or Ray Tune, connected to a cluster.

    Args:
        side: ``luthier`` or ``ray``.
        folder: where results go.
        address: the cluster's.
    """

    def __init__(self, side: str, folder: str, address: str) -> None:
        self.side, self.folder, self.address = side, folder, address

    def connect(self) -> None:
        """Connect, as both sides do."""
        import ray

        ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")

    @property
    def tune(self) -> Any:
        """The module of this name."""
        if self.side == "ray":
            from ray import tune as of_ray

            return of_ray
        from luthier import tune as ours

        return ours

    def run_config(self, **more: Any) -> Any:
        """Return a RunConfig that says where."""
        if self.side == "luthier":
            more |= {"executor": "ray", "executor_options": {"address": self.address}}
        return self.tune.RunConfig(storage_path=self.folder, verbose=0, **more)


def quickstart(side: Side, n: int) -> dict[str, Any]:
    """4 trials, each in an actor of its own, and the best config."""

    def objective(config):
        return {"score": config["a"] ** 2 + config["b"]}

    start = time.perf_counter()
    tune = side.tune
    if side.side == "ray":
        side.connect()
    space = {"a": tune.grid_search([0.001, 0.01, 0.1, 1.0]), "b": tune.choice([1, 2, 3])}
    results = tune.Tuner(objective, param_space=space, run_config=side.run_config()).fit()
    return _done(results, 4, start, best=results.get_best_result(metric="score", mode="min").config["a"])


def fresh(side: Side, n: int) -> dict[str, Any]:
    """*n* trivial trials, each in an actor of its own."""
    return _trials(side, n, reuse=False)


def reused(side: Side, n: int) -> dict[str, Any]:
    """*n* trivial trials in actors that take one after another."""
    return _trials(side, n, reuse=True)


def reports(side: Side, n: int) -> dict[str, Any]:
    """2 trials that each report *n* times; result.json and progress.csv, no TensorBoard files."""
    found = _reporting(side, n, 2)
    return {**found, "count": 2 * n}


def one(side: Side, n: int) -> dict[str, Any]:
    """1 trial that reports *n* times."""
    found = _reporting(side, n, 1)
    return {**found, "count": n, "ms_each": 1e3 * found["wall_s"] / n}


def call(side: Side, n: int) -> dict[str, Any]:
    """*n* calls of an actor, one after the other, with as many bytes as a report has."""
    import ray

    side.connect()

    class Echo:
        def echo(self, content: bytes) -> bytes:
            return content

    actor = ray.remote(Echo).options(num_cpus=1).remote()
    content = b"x" * 300
    for _ in range(100):
        ray.get(actor.echo.remote(content))
    start = time.perf_counter()
    for _ in range(n):
        ray.get(actor.echo.remote(content))
    wall = time.perf_counter() - start
    return {"count": n, "wall_s": wall, "ms_each": 1e3 * wall / n}


def _trials(side: Side, n: int, *, reuse: bool) -> dict[str, Any]:
    def objective(config):
        return {"loss": config["x"]}

    side.connect()
    tune, start = side.tune, time.perf_counter()
    results = tune.Tuner(
        objective,
        param_space={"x": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(num_samples=n, metric="loss", mode="min", reuse_actors=reuse),
        run_config=side.run_config(),
    ).fit()
    return _done(results, n, start)


def _reporting(side: Side, n: int, trials: int) -> dict[str, Any]:
    side.connect()
    tune = side.tune
    if side.side == "ray":
        from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback

        os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
        run = side.run_config(callbacks=[JsonLoggerCallback(), CSVLoggerCallback()])

        def train(config):
            from ray import tune as there

            _report(there.report, config["x"], n)
    else:
        run = side.run_config()

        def train(config):
            from luthier import tune as there

            _report(there.report, config["x"], n)

    start = time.perf_counter()
    space = {"x": tune.grid_search([1.0, 2.0][:trials])}
    results = tune.Tuner(train, param_space=space, run_config=run).fit()
    done = _done(results, trials, start)
    first, last = math.inf, 0.0
    for result in results:
        with open(os.path.join(result.path, "result.json"), encoding="utf-8") as f:
            lines = f.readlines()
        if len(lines) < n:
            raise SystemExit(f"result.json has {len(lines)} lines instead of {n}")
        first, last = min(first, json.loads(lines[0])["at"]), max(last, json.loads(lines[n - 1])["at"])
    return {**done, "whole_s": done["wall_s"], "wall_s": last - first}


def _report(report: Any, x: float, n: int) -> None:
    """Report *n* times; what counts is from the first report to the last, without the start of actors."""
    for i in range(n):
        report({"loss": x / (i + 1), "at": time.time()})


def _done(results: Any, wanted: int, start: float, **more: Any) -> dict[str, Any]:
    wall = time.perf_counter() - start
    if len(results) != wanted or results.num_errors:
        raise SystemExit(f"{len(results)} of {wanted} trials, {results.num_errors} of them failed")
    return {"count": wanted, "wall_s": wall, **more}


WORKLOADS = {"quickstart": quickstart, "fresh": fresh, "reused": reused, "reports": reports, "one": one, "call": call}

if __name__ == "__main__":
    name, count, place, where = sys.argv[2:]
    print("\n" + json.dumps(WORKLOADS[name](Side(sys.argv[1], place, where), int(count))), flush=True)
