"""A script that runs for as long as it is told: many short trials that report, save and are stopped early.

python soaked.py STORAGE TRIALS SECONDS
"""

from __future__ import annotations

import sys
import time

from luthier import tune
from luthier.tune.schedulers import ASHAScheduler

NAME, AT_ONCE, STEPS = "soaked", 4, 30


def soaked(config):
    for step in range(1, STEPS + 1):
        time.sleep(config["pause"])
        saved = None if step % 10 else tune.Checkpoint.from_dict({"step": step, "weights": bytes(10_000)})
        tune.report({"step": step, "score": config["x"] * step, "lr": config["x"] / step}, checkpoint=saved)


if __name__ == "__main__":
    storage, trials, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    taken = 0.55 * STEPS  # by a trial on the average, as ASHA stops most of them
    pause = seconds * AT_ONCE / trials / taken
    tune.Tuner(
        soaked,
        param_space={
            "x": tune.uniform(0, 1),
            "pause": pause,
            "layers": [{"units": tune.randint(8, 64)}, {"units": 10}],
        },
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            num_samples=trials,
            max_concurrent_trials=AT_ONCE,
            scheduler=ASHAScheduler(max_t=STEPS, grace_period=10),
        ),
        run_config=tune.RunConfig(
            name=NAME,
            storage_path=storage,
            verbose=0,
            resources={"cpu": AT_ONCE},
            checkpoint_config=tune.CheckpointConfig(num_to_keep=2),
        ),
    ).fit()
