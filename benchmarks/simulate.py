"""100 000 trials of random search under ASHA on 256 virtual workers: what the core costs by itself.

``python -m benchmarks.simulate [trials]`` prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.space import Float, Integer, Space
from luthier.schedulers.asha import Asha
from luthier.search.variants import Variants
from luthier.simulation.curves import power_law
from luthier.simulation.world import World

WORKERS, MAX_T, ETA = 256, 81, 3
TARGETS = {"cpu_s": 25.0, "rss_mb": 250.0, "growth": 1.5}


SPACE = Space({"lr": Float(1e-5, 1.0, log=True), "momentum": Float(0.0, 1.0), "layers": Integer(1, 9)})


def simulate(trials: int) -> dict[str, Any]:
    """Run *trials* trials and return what they took."""
    limits = Limits(num_trials=trials, seed=7)
    asha = Asha(max_t=MAX_T, reduction_factor=ETA)
    engine = Engine(limits, Variants(SPACE, -1), asha, (Goal("loss", "min"),))
    cost = lambda config, step: 1.0 + config["momentum"]
    world = World(engine, power_law, cost, MAX_T, WORKERS, keep_log=False)
    start = time.process_time()
    world.run()
    seconds = time.process_time() - start
    if not engine.finished or len(engine.experiment) != trials:
        raise SystemExit(f"the simulation did not finish: {len(engine.experiment)} of {trials} trials")
    return {
        "trials": trials,
        "reports": world.reports,
        "events": world.events,
        "cpu_s": round(seconds, 2),
        "us_per_report": round(1e6 * seconds / world.reports, 2),
        "ms_per_trial": round(1e3 * seconds / trials, 4),
        "virtual_h": round(world.now / 3600, 1),
    }


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    small, large = simulate(max(trials // 10, 1)), simulate(trials)
    found = {
        "benchmark": "simulate",
        "workers": WORKERS,
        **large,
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "ms_per_trial_at_a_tenth": small["ms_per_trial"],
        "growth": round(large["ms_per_trial"] / small["ms_per_trial"], 2),
        "targets": TARGETS,
    }
    found["met"] = all(found[name] <= most for name, most in TARGETS.items())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
