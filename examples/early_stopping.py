"""Train with checkpoints under ASHA, and load the best one afterwards."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from luthier import tune
from luthier.tune.schedulers import ASHAScheduler


def train(config: dict[str, Any]) -> None:
    """Walk down a hill; go on from the last checkpoint where there is one."""
    weight, step = 10.0, 0
    checkpoint = tune.get_checkpoint()
    if checkpoint is not None:
        with checkpoint.as_directory() as saved:
            weight, step = json.loads((Path(saved) / "state.json").read_text())
    while step < 20:
        step += 1
        weight -= config["lr"] * 2 * weight
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "state.json").write_text(json.dumps([weight, step]))
            tune.report({"loss": weight**2}, checkpoint=tune.Checkpoint.from_directory(directory))


tuner = tune.Tuner(
    train,
    param_space={"lr": tune.loguniform(1e-3, 0.5)},
    tune_config=tune.TuneConfig(
        metric="loss",
        mode="min",
        num_samples=12,
        scheduler=ASHAScheduler(max_t=20, grace_period=2, reduction_factor=3),
        seed=1,
    ),
    run_config=tune.RunConfig(checkpoint_config=tune.CheckpointConfig(num_to_keep=1)),
)
results = tuner.fit()
best = results.get_best_result()
with best.checkpoint.as_directory() as saved:
    weight, step = json.loads((Path(saved) / "state.json").read_text())
print(f"best lr {best.config['lr']:.3f}: weight {weight:.2g} after {step} steps")
