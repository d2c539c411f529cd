"""The quickstart: a whole process that runs 4 trials and prints the best config."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import Figures, ratio, rounded, workload
from benchmarks.target import Target

MEMORY = ("rss_mb", "pss_mb", "processes")


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it."""
    ours = _both("luthier", "quickstart", 2 if quick else 9)
    ray = _both("ray", "quickstart", 1 if quick else 3)
    optuna = _both("optuna", "quickstart", 1 if quick else 5)
    sqlite = _both("optuna", "quickstart-sqlite", 1 if quick else 5)
    ratios = {
        "wall_of_ray": ratio(ours, ray, "process_wall_s"),
        "cpu_of_ray": ratio(ours, ray, "cpu_s"),
        "rss_of_ray": ratio(ours, ray, "rss_mb"),
        "pss_of_ray": ratio(ours, ray, "pss_mb"),
        "wall_of_optuna": ratio(ours, optuna, "process_wall_s"),
        "wall_of_optuna_sqlite": ratio(ours, sqlite, "process_wall_s"),
    }
    return {
        "luthier": ours,
        "ray": ray,
        "optuna_memory": optuna,
        "optuna_sqlite": sqlite,
        "ratios": ratios,
        "targets": [
            Target("wall, of Ray's", ratios["wall_of_ray"], most=0.05),
            Target("CPU, of Ray's", ratios["cpu_of_ray"], most=0.05),
            Target("resident, all processes, MB", None if ours is None else ours["rss_mb"], most=160),
        ],
    }


def _both(side: str, name: str, repeats: int) -> Figures | None:
    """Gauge time in *repeats* runs and memory in others."""
    time = workload(side, name, 4, repeats=repeats)
    memory = workload(side, name, 4, repeats=max(1, repeats // 2), memory=True)
    if time is None or memory is None:
        return None
    return rounded({**time, **{k: memory[k] for k in MEMORY}})
