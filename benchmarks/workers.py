"""A large cluster in virtual time: the controller with its log on the disk, as the tuner has it.

``python -m benchmarks.workers TRIALS WORKERS DIRECTORY`` prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import gauged, scratch
from benchmarks.simulate import ETA, MAX_T, SPACE
from benchmarks.target import Target
from luthier.control.controller import Controller
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.schedulers.asha import Asha
from luthier.search.variants import Variants
from luthier.simulation.curves import power_law
from luthier.simulation.world import World
from luthier.store.jsonl import JsonlStore

WORKERS, CPU_S = 1000, 30.0


def bench(*, quick: bool) -> dict[str, Any]:
    """Measure it; there is no peer that simulates."""
    trials = 2_000 if quick else 100_000
    cases = {f"{workers}_workers": _gauged(trials, workers) for workers in (WORKERS, 10 * WORKERS)}
    found = cases[f"{WORKERS}_workers"]
    return {
        "luthier": cases,
        "ratios": {},
        "targets": [Target(f"{WORKERS} workers, {trials} trials, log on disk, CPU s", found["cpu_s"], most=CPU_S)],
    }


def simulate(trials: int, workers: int, directory: str) -> dict[str, Any]:
    """Run *trials* trials of random search under ASHA and return what they took, the log included."""
    limits = Limits(num_trials=trials, seed=7, elastic=True)
    asha = Asha(max_t=MAX_T, reduction_factor=ETA)
    make = lambda: Engine(limits, Variants(SPACE, -1), asha, (Goal("loss", "min"),))
    cost = lambda config, step: 1.0 + config["momentum"]
    start = time.process_time()
    with JsonlStore(directory) as store:
        controller: Any = Controller(store, make)  # to a world it looks like an engine
        world = World(controller, power_law, cost, MAX_T, workers, keep_log=False)
        world.run()
    seconds = time.process_time() - start
    if not controller.finished or len(controller.experiment) != trials:
        raise SystemExit(f"the simulation did not finish: {len(controller.experiment)} of {trials} trials")
    size = sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())
    return {
        "trials": trials,
        "workers": workers,
        "reports": world.reports,
        "events": world.events,
        "cpu_s": round(seconds, 2),
        "us_per_report": round(1e6 * seconds / world.reports, 2),
        "log_bytes_per_event": round(size / world.events, 1),
        "virtual_h": round(world.now / 3600, 1),
    }


def _gauged(trials: int, workers: int) -> dict[str, Any]:
    folder = tempfile.mkdtemp(dir=scratch())
    command = [sys.executable, "-m", "benchmarks.workers", str(trials), str(workers), folder]
    found: dict[str, Any] = json.loads(gauged(command)["said"])
    return found


if __name__ == "__main__":
    print("\n" + json.dumps(simulate(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])), flush=True)
