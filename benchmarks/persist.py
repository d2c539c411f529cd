"""Persisting: :mod:`benchmarks.log_cost` and :mod:`benchmarks.log_share`, each in processes of their own."""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

from benchmarks.measure import Figures, gauged, medians, rounded, scratch
from benchmarks.target import Target


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it; what peers write is not comparable, event by event."""
    events, trials = (20_000, 50) if quick else (1_000_000, 1000)
    cost = _medians("log_cost", events, repeats=1 if quick else 3)
    share = _medians("log_share", trials, "process", repeats=1 if quick else 5)
    inline = _medians("log_share", trials, "inline", repeats=1 if quick else 5)
    return {
        "luthier": {**cost, **share, "inline_share": inline["share"]},
        "ratios": {},
        "targets": [
            Target(f"an event at {events}, of one at 1000, CPU", cost["growth"], most=1.2),
            Target(f"log of {trials} trials x 50 results, of the run's CPU", share["share"], most=0.1),
        ],
    }


def _medians(module: str, *arguments: object, repeats: int) -> Figures:
    first, *rest = map(str, arguments)
    runs = []
    for _ in range(repeats):
        folder = tempfile.mkdtemp(dir=scratch())
        found = gauged([sys.executable, "-m", f"benchmarks.{module}", first, folder, *rest])
        runs.append(json.loads(found["said"]))
    return rounded(medians(runs))
