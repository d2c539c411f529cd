"""Trivial trials: what a trial costs that does nothing."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import ratio, workload
from benchmarks.target import Target


def fresh(*, quick: bool) -> dict[str, Any]:
    """Each in a process of its own."""
    ours = workload("luthier", "fresh", 20 if quick else 200, repeats=1 if quick else 5)
    ray = workload("ray", "fresh", 4 if quick else 8, repeats=1 if quick else 3)
    return {
        "luthier": ours,
        "ray": ray,
        "ratios": {
            "rate_of_ray": ratio(ours, ray, "per_s"),
            "cpu_each_of_ray": ratio(ours, ray, "cpu_ms_each"),
        },
        "targets": [Target("trials/s, a fresh process each", None if ours is None else ours["per_s"], least=60)],
    }


def reused(*, quick: bool) -> dict[str, Any]:
    """In processes that take one after another; Optuna in the process itself, on a file and in memory."""
    ours = workload("luthier", "reused", 200 if quick else 3000, repeats=1 if quick else 5)
    ray = workload("ray", "reused", 10 if quick else 50, repeats=1 if quick else 3)
    journal = workload("optuna", "journal", 200 if quick else 2000, repeats=1 if quick else 5)
    memory = workload("optuna", "memory", 200 if quick else 2000, repeats=1 if quick else 5)
    ratios = {
        "rate_of_ray": ratio(ours, ray, "per_s"),
        "rate_of_optuna_journal": ratio(ours, journal, "per_s"),
        "rate_of_optuna_memory": ratio(ours, memory, "per_s"),
    }
    return {
        "luthier": ours,
        "ray": ray,
        "optuna_journal": journal,
        "optuna_memory": memory,
        "ratios": ratios,
        "targets": [
            Target("trials/s, processes reused", None if ours is None else ours["per_s"], least=1000),
            Target("rate, of Optuna's on its journal", ratios["rate_of_optuna_journal"], least=1),
        ],
    }


def inline(*, quick: bool) -> dict[str, Any]:
    """In the process itself, durable; Optuna in memory and on its journal."""
    ours = workload("luthier", "inline", 200 if quick else 5000, repeats=1 if quick else 5)
    memory = workload("optuna", "memory", 200 if quick else 5000, repeats=1 if quick else 5)
    journal = workload("optuna", "journal", 200 if quick else 2000, repeats=1 if quick else 3)
    return {
        "luthier": ours,
        "optuna_memory": memory,
        "optuna_journal": journal,
        "ratios": {
            "rate_of_optuna_memory": ratio(ours, memory, "per_s"),
            "rate_of_optuna_journal": ratio(ours, journal, "per_s"),
        },
        "targets": [Target("trials/s, inline", None if ours is None else ours["per_s"], least=4000)],
    }
