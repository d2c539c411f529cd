"""Runs a side's workload a few times under the gauge and takes the medians."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks import ROOT, SOURCE

Figures = dict[str, Any]

_warm: set[str] = set()
_scratch: list[str] = []


def scratch() -> str:
    """Return the directory below which all sides store, made when first asked for and removed when Python ends.

    ext4 without a journal looks at every inode that was freed in the last minutes before it makes a file, and is up to
    ten times slower for it.  So nothing is removed between two runs, and of several directories, which ``chattr +T``
    has the file system spread over the disk, the one is taken where making files is quickest now: the same for all.
    """
    if not _scratch:
        top = tempfile.mkdtemp(prefix="lb-")
        atexit.register(shutil.rmtree, top, ignore_errors=True)
        with contextlib.suppress(OSError):
            subprocess.run(["chattr", "+T", top], check=False, capture_output=True)
        places = [f"{top}/{i}" for i in range(8)]
        for place in places:
            os.mkdir(place)
        _scratch.append(min(places, key=_us_per_directory))
    return _scratch[0]


def disk() -> float:
    """Return the microseconds that a directory with four small files takes here now: a trial's share of the disk."""
    return _us_per_directory(scratch(), 300)


def _us_per_directory(place: str, count: int = 50) -> float:
    folder, times = tempfile.mkdtemp(dir=place), []
    for i in range(count):
        start = time.perf_counter()
        os.mkdir(f"{folder}/{i}")
        for name in "abcd":
            with open(f"{folder}/{i}/{name}", "wb", buffering=0) as f:
                f.write(b"x" * 150)
        times.append(time.perf_counter() - start)
    return round(1e6 * statistics.median(times), 1)


def installed(side: str) -> bool:
    """Return whether *side* (``luthier``, ``ray`` or ``optuna``) can be measured here."""
    return importlib.util.find_spec(side) is not None


def environment() -> dict[str, str]:
    """Return the environment that all sides run in.

    What is measured is the checkout that this file belongs to, whichever one is installed.  Byte code is cached; Ray
    sends nothing anywhere and says little.
    """
    without = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "LUTHIER_EXECUTOR")
    kept = {name: value for name, value in os.environ.items() if name not in without}
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    return {**kept, **quiet, "PYTHONWARNINGS": "ignore", "PYTHONPATH": SOURCE}


def workload(side: str, name: str, n: int, *, repeats: int, memory: bool = False) -> Figures:
    """Return the medians of *repeats* runs of a workload, each in a fresh process.

    Returns:
        ``count`` and, of the part that counts, ``wall_s`` and ``per_s``; of the whole process ``process_wall_s`` and
        ``cpu_s`` (all its processes), ``cpu_ms_each``; what other numbers the workload says; with *memory*
        what :mod:`benchmarks.gauge` says of it.
    """
    warm_up(side)
    runs = [_run(side, name, n, memory=memory) for _ in range(repeats)]
    found = medians(runs)
    found["count"] = runs[0]["count"]
    found["per_s"] = found["count"] / found["wall_s"]
    found["cpu_ms_each"] = 1e3 * found["cpu_s"] / found["count"]
    found["spread_s"] = [round(min(r["wall_s"] for r in runs), 4), round(max(r["wall_s"] for r in runs), 4)]
    return rounded(found)


def peer(side: str, name: str, n: int, *, repeats: int) -> Figures | None:
    """Return :func:`workload` of a peer; None where it is not installed."""
    return workload(side, name, n, repeats=repeats) if installed(side) else None


def warm_up(side: str) -> None:
    """Run *side*'s quickstart once, so that all byte code is written and files are in the page cache."""
    if side not in _warm:
        _warm.add(side)
        _run(side, "quickstart", 4, memory=False)


def code(source: str, *, repeats: int) -> Figures:
    """Return the medians of *repeats* runs of ``python -c source``, after one that does not count."""
    gauged([sys.executable, "-c", source])
    return rounded(medians([gauged([sys.executable, "-c", source]) for _ in range(repeats)]))


def gauged(command: list[str], *, memory: bool = False) -> Figures:
    """Run *command* under the gauge."""
    flags = ["--memory"] if memory else []
    gauge = [sys.executable, "-m", "benchmarks.gauge", *flags, *command]
    done = subprocess.run(gauge, check=False, capture_output=True, text=True, env=environment(), cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr or done.stdout)
    found: Figures = json.loads(done.stdout)
    return found


def medians(runs: list[Figures]) -> Figures:
    """Return the median of every number in *runs*."""
    numbers = [k for k, v in runs[0].items() if isinstance(v, (int, float)) and not isinstance(v, bool)]
    return {**{name: statistics.median(run[name] for run in runs) for name in numbers}, "repeats": len(runs)}


def value(figures: Figures | None, name: str) -> float | None:
    """Return one number of *figures*; None where there are none."""
    return None if figures is None else float(figures[name])


def rounded(figures: Figures) -> Figures:
    """Return *figures* with four digits that count."""
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in figures.items()}


def ratio(ours: Figures | None, theirs: Figures | None, name: str) -> float | None:
    """Return ours / theirs; None where either is missing."""
    if not ours or not theirs or not theirs.get(name):
        return None
    return float(f"{ours[name] / theirs[name]:.4g}")


def _run(side: str, name: str, n: int, *, memory: bool) -> Figures:
    folder = tempfile.mkdtemp(dir=scratch())
    command = [sys.executable, "-m", f"benchmarks.sides.with_{side}", name, str(n), folder]
    found = gauged(command, memory=memory)
    said = json.loads(found.pop("said"))
    counted = {name: number for name, number in said.items() if isinstance(number, (int, float))}
    return {**found, "process_wall_s": found["wall_s"], **counted}
