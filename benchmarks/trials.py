"""Trivial trials: what a trial costs that does nothing."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import peer, ratio, value, workload
from benchmarks.target import Target


def fresh(*, quick: bool) -> dict[str, Any]:
    """Each in a process of its own."""
    ours = workload("luthier", "fresh", 20 if quick else 200, repeats=1 if quick else 5)
    ray = peer("ray", "fresh", 4 if quick else 8, repeats=1 if quick else 3)
    return {
        "luthier": ours,
        "ray": ray,
        "ratios": {
            "rate_of_ray": ratio(ours, ray, "per_s"),
            "cpu_each_of_ray": ratio(ours, ray, "cpu_ms_each"),
        },
        "targets": [Target("trials/s, a fresh process each", ours["per_s"], least=60, ray=value(ray, "per_s"))],
    }


def reused(*, quick: bool) -> dict[str, Any]:
    """In processes that take one after another; Optuna in the process itself, on a file and in memory."""
    ours = workload("luthier", "reused", 200 if quick else 3000, repeats=1 if quick else 5)
    ray = peer("ray", "reused", 10 if quick else 50, repeats=1 if quick else 3)
    journal = peer("optuna", "journal", 200 if quick else 2000, repeats=1 if quick else 5)
    memory = peer("optuna", "memory", 200 if quick else 2000, repeats=1 if quick else 5)
    theirs = value(journal, "per_s")
    return {
        "luthier": ours,
        "ray": ray,
        "optuna_journal": journal,
        "optuna_memory": memory,
        "ratios": {
            "rate_of_ray": ratio(ours, ray, "per_s"),
            "rate_of_optuna_journal": ratio(ours, journal, "per_s"),
            "rate_of_optuna_memory": ratio(ours, memory, "per_s"),
        },
        "targets": [
            Target("trials/s, processes reused", ours["per_s"], least=1000, ray=value(ray, "per_s")),
            Target("... Optuna on its journal", ours["per_s"], least=theirs, wanted=">= Optuna's", optuna=theirs),
        ],
    }


def inline(*, quick: bool) -> dict[str, Any]:
    """In the process itself, durable; Optuna in memory and on its journal."""
    ours = workload("luthier", "inline", 200 if quick else 5000, repeats=1 if quick else 5)
    memory = peer("optuna", "memory", 200 if quick else 5000, repeats=1 if quick else 5)
    journal = peer("optuna", "journal", 200 if quick else 2000, repeats=1 if quick else 3)
    return {
        "luthier": ours,
        "optuna_memory": memory,
        "optuna_journal": journal,
        "ratios": {
            "rate_of_optuna_memory": ratio(ours, memory, "per_s"),
            "rate_of_optuna_journal": ratio(ours, journal, "per_s"),
        },
        "targets": [
            Target("trials/s, inline; Optuna in memory", ours["per_s"], least=4000, optuna=value(memory, "per_s"))
        ],
    }
