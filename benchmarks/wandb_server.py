"""W&B's own client at the server: 50 runs at once, and the streams of 20 simulated clients; on both databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from typing import Any

from benchmarks import ROOT
from benchmarks.measure import Figures, environment, gauged, installed, rounded, scratch
from benchmarks.rows import wrong
from benchmarks.served import DATABASES, Served, has, served
from benchmarks.service import SHOWN
from benchmarks.target import Target

PROCESSES, CLIENTS, RATE = 8, 20, 100
PACED = {"burst": (0.0, "15"), "paced": (0.02, "1")}  # seconds between two rows of a run, and between two requests
EVERY = {"15 s": 15.0, "1 s": 1.0, "0.1 s": 0.1}  # the client's own interval, that of our sweeps, and less than it may


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it; the peers have no such server."""
    found: dict[str, Any] = {}
    targets = []
    for kind in DATABASES:
        if not has(kind):
            print(f"{SHOWN[kind]} is not installed here, so not measured", file=sys.stderr)
            continue
        found[kind] = measured(kind, quick=quick)
        targets += _targets(SHOWN[kind], found[kind])
    client = metadata.version("wandb") if installed("wandb") else None
    return {"luthier": found, "wandb": client, "ratios": {}, "targets": targets}


def measured(kind: str, *, quick: bool) -> Figures:
    """Return the figures on a database of that *kind*."""
    runs, rows, processes = (4, 100, 2) if quick else (50, 1000, PROCESSES)
    clients, seconds = (4, 0.5) if quick else (CLIENTS, 60.0)
    found: Figures = {}
    with served(kind) as server:
        if installed("wandb"):
            for name, (pace, interval) in PACED.items():
                found[name] = real(server, name, runs, rows, processes, pace, interval)
        for name, every in EVERY.items():
            project = f"every-{name.replace(' ', '')}"
            found[name] = _simulated(server, project, clients, seconds, min(every, seconds))
        found["flood"] = _simulated(server, "flood", clients, seconds / 4, 0.0)
        found["loaded_mb"] = round(server.rss_mb(), 1)
    return found


def real(server: Served, project: str, runs: int, rows: int, processes: int, pace_s: float, every: str) -> Figures:
    """Return what runs of W&B's client took, and the server meanwhile."""
    folder = tempfile.mkdtemp(dir=scratch())
    told = {
        "HOME": folder,
        "WANDB_DIR": folder,
        "WANDB_BASE_URL": f"http://127.0.0.1:{server.port}",
        "WANDB_API_KEY": "local-" + 40 * "0",  # the server has no keys, but the client wants one
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": every,
    }
    command = [sys.executable, "-m", "benchmarks.sides.wandb_runs", project, *map(str, (runs, rows, processes, pace_s))]
    cpu, stored = server.cpu_s(), server.database_cpu_s()
    kept = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        clients = gauged(command, memory=False)
    finally:
        for name, before in kept.items():
            os.environ.pop(name) if before is None else os.environ.update({name: before})
    said = json.loads(clients["said"])
    took, database = server.cpu_s() - cpu, server.database_cpu_s() - stored
    return rounded(
        {
            "runs": runs,
            "rows": rows,
            "wall_s": clients["wall_s"],
            "logged_s": said["logged_s"],
            "clients_cpu_s": clients["cpu_s"],
            "imported_cpu_s": said["imported_cpu_s"],
            "server_cpu_s": took,
            "database_cpu_s": database,
            "share": (took + database) / clients["cpu_s"],
            "share_begun": (took + database) / (clients["cpu_s"] - said["imported_cpu_s"]),
            "wrong": wrong(server.url, project, {f"run-{i}": rows for i in range(runs)}),
        }
    )


def _simulated(server: Served, project: str, clients: int, seconds: float, every: float) -> Figures:
    """Return what simulated clients saw, and the CPU time that a request and a row took the server."""
    command = [sys.executable, "-m", "benchmarks.streams", str(server.port), project]
    command += map(str, (clients, seconds, RATE, every))
    cpu, stored = server.cpu_s(), server.database_cpu_s()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT)
    found = json.loads(done.stdout)
    took = server.cpu_s() - cpu
    told = found.pop("told")
    more = {
        "cpu_ms_each": 1e3 * took / found["requests"],
        "cpu_us_row": 1e6 * took / sum(told.values()),
        "database_cpu_s": server.database_cpu_s() - stored,
        "wrong": wrong(server.url, project, told),
    }
    return rounded({**found, **more})


def _targets(name: str, found: Figures) -> list[Target]:
    targets = []
    for kind, how in (("burst", "as fast as they log"), ("paced", "50 rows/s each, told every second")):
        if kind not in found:
            continue
        real = found[kind]
        said = f"{name}: {real['runs']} runs of {real['rows']} rows, {how}"
        targets.append(Target(f"{said}: CPU of server and database / the clients'", real["share"], most=0.25))
        targets.append(Target(f"{name}: ... without the clients' imports", real["share_begun"], most=0.25))
    for every in EVERY:
        said = f"{name}: {CLIENTS} clients, {RATE} rows/s each, a request every {every}"
        targets.append(Target(f"{said}: p99 ms", found[every]["p99_ms"], most=200))
    parts = [part for part in found.values() if isinstance(part, dict)]
    bad = sum(part["wrong"] + part.get("errors", 0) for part in parts)
    targets.append(Target(f"{name}: rows missing, twice or wrong, and errors, in all of it", bad, most=0))
    flood = found["flood"]["rows_per_s"]
    targets.append(Target(f"{name}: rows/s stored, one in each request", flood, wanted="-"))
    return targets
