"""A checkpoint of 1 MB with a report, beside a plain copy of the file to the same place."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from typing import Any

from benchmarks.measure import gauged, installed, scratch
from benchmarks.target import Target


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it: what a checkpoint adds to a report, in copies of the file."""
    ours = _side("luthier", 10 if quick else 300, repeats=1 if quick else 5)
    ray = _side("ray", 10 if quick else 100, repeats=1 if quick else 3) if installed("ray") else None
    return {
        "luthier": ours,
        "ray": ray,
        "ratios": {"of_ray": None if ray is None else ours["checkpoint_ms"] / ray["checkpoint_ms"]},
        "targets": [
            Target(
                "a 1 MB checkpoint, in plain copies",
                ours["in_copies"],
                most=1.5,
                ray=None if ray is None else ray["in_copies"],
            )
        ],
    }


def _side(side: str, n: int, *, repeats: int) -> dict[str, Any]:
    runs = []
    for _ in range(repeats):
        command = [sys.executable, "-m", f"benchmarks.sides.with_{side}", "checkpoints", str(n)]
        said = json.loads(gauged([*command, tempfile.mkdtemp(dir=scratch())])["said"])
        said["checkpoint_ms"] = said["report_with_checkpoint_ms"] - said["report_ms"]
        said["in_copies"] = said["checkpoint_ms"] / said["plain_copy_ms"]
        runs.append(said)
    found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    spread = [min(run["in_copies"] for run in runs), max(run["in_copies"] for run in runs)]
    return {**{k: float(f"{v:.4g}") for k, v in found.items()}, "spread_in_copies": [round(v, 3) for v in spread]}
