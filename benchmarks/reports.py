"""Reports in lockstep: two trials that do nothing but report and wait for the answer."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import peer, ratio, value, workload
from benchmarks.target import Target


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it, with result.json and progress.csv; Optuna in the process itself, on its journal."""
    ours = workload("luthier", "reports", 500 if quick else 20_000, repeats=1 if quick else 5)
    ray = peer("ray", "reports", 50 if quick else 500, repeats=1 if quick else 3)
    journal = peer("optuna", "reports", 200 if quick else 2000, repeats=1 if quick else 3)
    return {
        "luthier": ours,
        "ray": ray,
        "optuna_journal": journal,
        "ratios": {
            "rate_of_ray": ratio(ours, ray, "per_s"),
            "rate_of_optuna_journal": ratio(ours, journal, "per_s"),
        },
        "targets": [
            Target(
                "reports/s, 2 trials; Optuna on its journal",
                ours["per_s"],
                least=8000,
                ray=value(ray, "per_s"),
                optuna=value(journal, "per_s"),
            )
        ],
    }
