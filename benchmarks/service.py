"""The sweep service under the load of 200 agents, on SQLite and on PostgreSQL.

A *row* is one logged step: here of ten metrics, unless it says otherwise.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from benchmarks import ROOT
from benchmarks.measure import Figures, environment, rounded
from benchmarks.served import DATABASES, Served, has, served
from benchmarks.target import Target

SHOWN = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it; the peers have no such service."""
    found: dict[str, Any] = {}
    targets = []
    for kind in DATABASES:
        if not has(kind):
            print(f"{SHOWN[kind]} is not installed here, so not measured", file=sys.stderr)
            continue
        found[kind] = _measured(kind, quick=quick)
        targets += _targets(SHOWN[kind], found[kind])
    return {"luthier": found, "ratios": {}, "targets": targets}


def _measured(kind: str, *, quick: bool) -> Figures:
    agents, seconds = (20, 2.0) if quick else (200, 20.0)
    with served(kind) as server:
        time.sleep(1.0)
        rest = server.rss_mb()
        beat = _herd(server, "heartbeat", agents, seconds, 1, 10)
        return {
            "agents": agents,
            "rest_mb": round(rest, 1),
            "heartbeat": beat,
            "agent": _agent(server, 5 if quick else 60),
            "churn": _herd(server, "churn", agents // 10, seconds / 4, 1, 10),
            "single": _herd(server, "flood", 20, seconds / 4, 1, 10),
            "bundled": _herd(server, "flood", 20, seconds / 4, 10, 10),
            "values": _herd(server, "flood", 20, seconds / 4, 10, 1),
            "loaded_mb": round(server.rss_mb(), 1),
        }


def _herd(server: Served, kind: str, agents: int, seconds: float, rows: int, metrics: int) -> Figures:
    """Return what a herd saw, and the CPU time that an exchange took the server."""
    command = [sys.executable, "-m", "benchmarks.herd", *map(str, (server.port, kind, agents, seconds, rows, metrics))]
    cpu = server.cpu_s()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT)
    found = json.loads(done.stdout)
    return rounded({**found, "cpu_ms_each": 1e3 * (server.cpu_s() - cpu) / found["exchanges"]})


def _agent(server: Served, runs: int) -> Figures:
    """Return how long a real agent is between two runs."""
    command = [sys.executable, "-m", "benchmarks.turnover", str(server.port), str(runs)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT)
    return rounded(json.loads(done.stdout))


def _targets(name: str, found: Figures) -> list[Target]:
    beat = found["heartbeat"]
    return [
        Target(f"{name}: heartbeats of {found['agents']} agents, p99 ms", beat["p99_ms"], most=150),
        Target(f"{name}: errors in it", beat["errors"], most=0),
        Target(f"{name}: rows/s stored, 10 in a bundle", found["bundled"]["rows_per_s"], least=3000),
        Target(f"{name}: rows/s stored, one in each exchange", found["single"]["rows_per_s"], wanted="-"),
        Target(f"{name}: rows/s of a single value, 10 in a bundle", found["values"]["rows_per_s"], least=3000),
        Target(f"{name}: a run's end to the next command, p50 ms", found["churn"]["p50_ms"], most=50),
        Target(f"{name}: the same, `luthier agent`, with both processes", found["agent"]["p50_ms"], most=50),
        Target(f"{name}: server at rest, MB", found["rest_mb"], most=120),
    ]
