"""The table of all trials, read from the experiment's directory."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import peer, ratio, value, workload
from benchmarks.target import Target


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it: pandas imported, the log of 10 results a trial read; Optuna's trials are in memory."""
    n, repeats = (200, 1) if quick else (10_000, 5)
    last, best = (workload("luthier", name, n, repeats=repeats) for name in ("dataframe", "dataframe-best"))
    memory = workload("luthier", "dataframe-best", n, repeats=1, memory=True)
    optuna = peer("optuna", "dataframe", n, repeats=1 if quick else 3)
    theirs = value(optuna, "wall_s")
    return {
        "luthier": {**last, "rss_mb": memory["rss_mb"]},
        "luthier_best": best,
        "optuna_memory": optuna,
        "ratios": {"wall_of_optuna": ratio(last, optuna, "wall_s")},
        "targets": [
            Target(f"get_dataframe(), {n} trials x 10 results, s", last["wall_s"], most=2.0, optuna=theirs),
            Target("... of the best each trial ever had, s", best["wall_s"], most=2.0),
        ],
    }
