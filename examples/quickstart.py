"""Tune two numbers: a grid over one, random draws of the other.  Run it with ``python examples/quickstart.py``."""

from __future__ import annotations

from typing import Any

from luthier import tune


def score(config: dict[str, Any]) -> None:
    """Report how far a parabola is from its lowest point, a few times."""
    for step in range(1, 4):
        tune.report({"score": (config["x"] - 2) ** 2 + config["y"] / step})


tuner = tune.Tuner(
    score,
    param_space={"x": tune.grid_search([0, 1, 2, 3]), "y": tune.uniform(0, 1)},
    tune_config=tune.TuneConfig(metric="score", mode="min", num_samples=2, seed=0),
)
results = tuner.fit()
best = results.get_best_result()
print(f"best config {best.config} with score {best.metrics['score']:.3f}; all in {results.experiment_path}")
