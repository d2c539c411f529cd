"""A script to be killed: two trials that report as fast as they can, and note what was acknowledged."""

from __future__ import annotations

import os
import sys

from luthier import tune


def busy(config):
    trial = tune.get_context().get_trial_id()
    acknowledged = os.open(os.environ["ACKNOWLEDGED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    step = 0
    while step < config["steps"]:
        step += 1
        tune.report({"step": step})
        os.write(acknowledged, f"{trial} {step}\n".encode())


if __name__ == "__main__":
    storage, reuse = sys.argv[1], sys.argv[2] == "reuse"
    tune.Tuner(
        busy,
        param_space={"steps": 300, "x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=-1, max_concurrent_trials=2, reuse_actors=reuse),
        run_config=tune.RunConfig(name="killed", storage_path=storage, verbose=0),
    ).fit()
