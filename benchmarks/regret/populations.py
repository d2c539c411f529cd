"""Small populations on a task whose best config moves: PBT, PB2, and configs that never change.

``python -m benchmarks.regret.populations [seeds]``.  At step t the best x of the first kind is ``t / STEPS``, and the
best y moves the other way round; a step brings the more, the nearer both are.  The second kind is the virtual training
of :mod:`benchmarks.regret.training`, where a high learning rate is good early and a low one late, and too high a one
ends it.
"""

from __future__ import annotations

import math
import statistics
import sys
from typing import TYPE_CHECKING, Any

from benchmarks.regret.training import AXES as TRAINED
from benchmarks.regret.training import Training
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Float, Space
from luthier.schedulers.explore import Mutations
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.pb2 import Pb2
from luthier.schedulers.pbt import Pbt
from luthier.search.variants import Variants
from luthier.simulation.world import World

if TYPE_CHECKING:
    from luthier.core.policy import Scheduler
    from luthier.core.terms import Config

STEPS, EVERY = 100, 5
AXES = {"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}


class Moving:
    """Its state is what is left to gain; the best x and y move."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def advance(self, config: Config, step: int, state: Any) -> tuple[float, float]:
        at = step / STEPS
        far = (config["x"] - at) ** 2 + (config["y"] - (1 - at)) ** 2
        left = (1.0 if state is None else state) * (1 - 0.06 * math.exp(-far / 0.08))
        noise = rng_at(self.seed, step, int(config["x"] * 2.0**40), int(config["y"] * 2.0**40)).normal()
        return left * (1 + 0.01 * noise), left


TASKS: dict[str, tuple[dict[str, Any], Any]] = {"moving optimum": (AXES, Moving), "training": (TRAINED, Training)}


def scheduler(name: str, space: dict[str, Any], population: int) -> Scheduler:
    """Return the scheduler called *name*."""
    if name == "constant":
        return Fifo()
    common: dict[str, Any] = {
        "time_attr": "training_iteration",
        "perturbation_interval": EVERY,
        "population": population,
    }
    if name == "PBT":
        return Pbt(Mutations(space), **common)
    return Pb2(space, **common)


def outcome(task: str, name: str, population: int, seed: int) -> float:
    """Return the lowest loss that any of the population has at the end."""
    space, course = TASKS[task]
    engine = Engine(
        Limits(seed=seed, num_trials=population), Variants(Space(space), -1), scheduler(name, space, population),
        (Goal("loss", "min"),),
    )  # fmt: skip
    world = World(engine, course(seed), 1.0, STEPS, min(population, 64), keep_log=False)
    world.run()
    return min(t.score for t in engine.experiment.trials.values() if t.score is not None)


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for task in TASKS:
        for population in (4, 8, 16):
            found = {
                n: [outcome(task, n, population, seed) for seed in range(seeds)] for n in ("constant", "PBT", "PB2")
            }
            wins = sum(a < b for a, b in zip(found["PB2"], found["PBT"], strict=True))
            said = ", ".join(f"{name} {statistics.median(v):.4f}" for name, v in found.items())
            print(f"{task}, {population} trials, medians of {seeds}: {said}; PB2 ahead of PBT in {wins}")


if __name__ == "__main__":
    main()
