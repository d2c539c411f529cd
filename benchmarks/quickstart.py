"""The quickstart: a whole process that runs 4 trials and prints the best config."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import Figures, installed, ratio, rounded, value, workload
from benchmarks.target import Target

MEMORY = ("rss_mb", "pss_mb", "processes")


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it."""
    ours = _both("luthier", "quickstart", 2 if quick else 9)
    ray = _both("ray", "quickstart", 1 if quick else 3) if installed("ray") else None
    optuna = _both("optuna", "quickstart", 1 if quick else 5) if installed("optuna") else None
    sqlite = _both("optuna", "quickstart-sqlite", 1 if quick else 5) if installed("optuna") else None
    return {
        "luthier": ours,
        "ray": ray,
        "optuna_memory": optuna,
        "optuna_sqlite": sqlite,
        "ratios": {
            "wall_of_ray": ratio(ours, ray, "process_wall_s"),
            "cpu_of_ray": ratio(ours, ray, "cpu_s"),
            "rss_of_ray": ratio(ours, ray, "rss_mb"),
            "pss_of_ray": ratio(ours, ray, "pss_mb"),
            "wall_of_optuna": ratio(ours, optuna, "process_wall_s"),
            "wall_of_optuna_sqlite": ratio(ours, sqlite, "process_wall_s"),
        },
        "targets": [
            _twentieth("whole process, wall s", "process_wall_s", ours, ray, sqlite),
            _twentieth("... CPU s, all processes", "cpu_s", ours, ray, sqlite),
            Target(
                "... resident MB, all processes",
                ours["rss_mb"],
                most=160,
                ray=value(ray, "rss_mb"),
                optuna=value(sqlite, "rss_mb"),
            ),
        ],
    }


def _twentieth(what: str, name: str, ours: Figures, ray: Figures | None, optuna: Figures | None) -> Target:
    theirs = value(ray, name)
    most = None if theirs is None else theirs / 20
    return Target(what, ours[name], most=most, wanted="<= Ray's / 20", ray=theirs, optuna=value(optuna, name))


def _both(side: str, name: str, repeats: int) -> Figures:
    """Gauge time in *repeats* runs and memory in others."""
    time = workload(side, name, 4, repeats=repeats)
    memory = workload(side, name, 4, repeats=max(1, repeats // 2), memory=True)
    return rounded({**time, **{k: memory[k] for k in MEMORY}})
