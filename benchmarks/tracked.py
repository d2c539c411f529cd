"""What telling W&B costs, offline: the time of a report within a trial, and memory, whatever the number of trials."""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

from benchmarks.measure import Figures, gauged, installed, medians, rounded, scratch, value
from benchmarks.target import Target


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it, with and without; nothing is said where the client is not installed."""
    if not installed("wandb"):
        return {"luthier": None, "ray": None, "ratios": {}, "targets": []}
    ours = _added("luthier", quick=quick)
    ray = _added("ray", quick=quick) if installed("ray") else None
    return {
        "luthier": ours,
        "ray": ray,
        "ratios": {},
        "targets": [
            Target("a report, ms more in the trial", ours["report_ms"], most=1.0, ray=value(ray, "report_ms")),
            Target("MB more, few trials", ours["few_mb"], most=150, ray=value(ray, "few_mb")),
            Target("MB more, many trials", ours["many_mb"], most=150, ray=value(ray, "many_mb")),
        ],
    }


def _added(side: str, *, quick: bool) -> Figures:
    """Return what telling W&B adds: milliseconds to a report, and megabytes (PSS) with few and with many trials."""
    reports, few, many = (20, 1, 3) if quick else (400, 2, 16)
    repeats = 1 if quick else 3
    if side == "ray" and not quick:  # whose trials and loggers take seconds to start
        reports, repeats = 100, 1
    timed = {on: _runs(side, reports, 2, on, repeats, memory=False) for on in ("off", "on")}
    more: Figures = {"report_ms": timed["on"]["report_ms"] - timed["off"]["report_ms"]}
    for name, trials in (("few_mb", few), ("many_mb", many)):
        held = {on: _runs(side, reports // 2, trials, on, 1, memory=True)["pss_mb"] for on in ("off", "on")}
        more[name] = held["on"] - held["off"]
    return rounded({**more, "report_ms_without": timed["off"]["report_ms"], "trials": many})


def _runs(side: str, reports: int, trials: int, on: str, repeats: int, *, memory: bool) -> Figures:
    runs = []
    for _ in range(repeats):
        folder = tempfile.mkdtemp(dir=scratch())
        module = [sys.executable, "-m", "benchmarks.sides.logging"]
        found = gauged([*module, side, str(reports), folder, str(trials), on], memory=memory)
        runs.append({**found, **json.loads(found["said"])})
    return medians(runs)
