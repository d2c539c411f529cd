"""100 000 trials in virtual time: :mod:`benchmarks.simulate` in a process of its own."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.measure import gauged
from benchmarks.target import Target


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it; there is no peer that simulates."""
    trials = 2_000 if quick else 100_000
    found = json.loads(gauged([sys.executable, "-m", "benchmarks.simulate", str(trials)])["said"])
    wanted = found.pop("targets")
    del found["benchmark"]
    return {
        "luthier": found,
        "ratios": {},
        "targets": [
            Target(f"{trials} trials, CPU s", found["cpu_s"], most=wanted["cpu_s"]),
            Target("resident, MB", found["rss_mb"], most=wanted["rss_mb"]),
            Target("time per trial, of that at a tenth", found["growth"], most=wanted["growth"]),
        ],
    }
