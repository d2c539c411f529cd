"""The page of all figures, drawn from the experiment's directory."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import workload
from benchmarks.target import Target


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it: plotly and scikit-learn imported, the log of 100 results a trial read, the page written."""
    n, repeats = (100, 1) if quick else (10_000, 3)
    page = workload("luthier", "report", n, repeats=repeats)
    memory = workload("luthier", "report", n, repeats=1, memory=True)
    return {
        "luthier": {**page, "rss_mb": memory["rss_mb"]},
        "targets": [
            Target(f"luthier plot, {n} trials x 100 results, s", page["wall_s"], most=10.0),
            Target("... size of the page, MB", page["page_mb"], most=15.0),
        ],
    }
