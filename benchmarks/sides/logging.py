"""A workload told to W&B, offline: *trials* trials that report *n* times each, and how long a report takes a trial.

``python -m benchmarks.sides.logging SIDE N FOLDER TRIALS on|off``
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

PAUSE_S = 0.002  # between two reports: a trial does something of its own


def luthier(n: int, folder: str, trials: int, *, told: bool) -> dict[str, Any]:
    """Return what it took here."""
    from luthier import tune
    from luthier.air.integrations.wandb import WandbLoggerCallback

    callbacks = [WandbLoggerCallback(project="bench")] if told else []
    run_config = tune.RunConfig(storage_path=folder, name="e", verbose=0, callbacks=callbacks)
    space = {"x": tune.grid_search(list(range(trials)))}
    return _timed(tune, space, run_config, n)


def ray(n: int, folder: str, trials: int, *, told: bool) -> dict[str, Any]:
    """Return what it took with Ray's own."""
    from ray import tune
    from ray.air.integrations.wandb import WandbLoggerCallback
    from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback

    from benchmarks.sides.with_ray import _start

    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    _start(folder)
    callbacks = [JsonLoggerCallback(), CSVLoggerCallback(), *([WandbLoggerCallback(project="bench")] if told else ())]
    run_config = tune.RunConfig(storage_path=folder, name="e", verbose=0, callbacks=callbacks)
    space = {"x": tune.grid_search(list(range(trials)))}
    return _timed(tune, space, run_config, n)


def _timed(tune: Any, space: dict[str, Any], run_config: Any, n: int) -> dict[str, Any]:
    pause = PAUSE_S

    def train(config):
        taken = 0.0
        for i in range(n):
            time.sleep(pause)
            begun = time.perf_counter()
            tune.report({"loss": config["x"] / (i + 1), "accuracy": i, "taken_ms": 1e3 * taken / max(1, i)})
            taken += time.perf_counter() - begun

    begun = time.perf_counter()
    results = tune.Tuner(train, param_space=space, run_config=run_config).fit()
    wall = time.perf_counter() - begun
    if results.errors:
        raise SystemExit(str(results.errors[0]))
    taken = [result.metrics["taken_ms"] for result in results]
    return {"count": n * len(taken), "wall_s": wall, "report_ms": sum(taken) / len(taken)}


if __name__ == "__main__":
    side, count, where, many, on = sys.argv[1:]
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    sides = {"luthier": luthier, "ray": ray}
    print(json.dumps(sides[side](int(count), where, int(many), told=on == "on")))
