"""What a scheduler's judgement costs: ``python -m benchmarks.judged NAME TRIALS`` prints one line of JSON.

TRIALS trials report 100 times each, in turns, in virtual time.  The log of that is then folded with the policy and
without it: the difference is the policy alone.  Where a policy's stops would leave nothing to measure they are not
carried out.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.engine import NEWS, Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Stop
from luthier.core.rng import rng_at
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Status
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.tune.schedulers import create_scheduler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.policy import Scheduler

STEPS, REPEATS, PICKS = 100, 3, 2_000
GOAL = Goal("loss", "min")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "asha": {"max_t": STEPS},
    "asha_promotion": {"max_t": STEPS},
    "pasha": {"max_t": STEPS},
    "hyperband": {"max_t": STEPS},
    "median_stopping_rule": {"time_attr": "training_iteration", "grace_period": 1},
    "pbt": {"time_attr": "training_iteration", "perturbation_interval": 4, "hyperparam_mutations": {"x": [0.0, 0.1]}},
}
DEAF = {"asha", "median_stopping_rule"}  # these do nothing but stop: they are measured on all results


def config(number: int) -> dict[str, float]:
    """Return the config of a trial: what its loss comes to in the end."""
    return {"x": number * 37 % 101 / 1000}


def loss(config: dict[str, float], step: int) -> float:
    """Return a loss that falls; whoever is ahead stays ahead."""
    return config["x"] + 1 / step


class Deaf:
    """A scheduler whose stops are not carried out."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self.pick = scheduler, scheduler.pick

    def decide(self, news: Any, experiment: Any, rng: Any) -> Sequence[Any]:
        """Return what is decided, without the stops."""
        decisions = self._scheduler.decide(news, experiment, rng)
        return [d for d in decisions if not isinstance(d, Stop)] if decisions else ()


def made(name: str) -> Scheduler:
    """Return a new policy."""
    return create_scheduler(name, **ARGUMENTS[name]).build(GOAL)


def played(name: str, trials: int) -> tuple[list[ev.Event], int, float]:
    """Return the log of *trials* trials, how many results are in it, and the CPU seconds that the engine took."""
    policy = Deaf(made(name)) if name in DEAF else made(name)
    engine = Engine(Limits(num_trials=trials, seed=3), Fixed([config(i) for i in range(trials)]), policy, (GOAL,))
    world = World(engine, loss, length=STEPS, workers=trials, save_every=4 if name == "pbt" else STEPS)
    start = time.process_time()
    world.run()
    seconds = time.process_time() - start
    if not engine.finished:
        raise SystemExit(f"{name} did not finish")
    return world.log, world.reports, seconds


def folded(log: list[ev.Event], policy: Scheduler | None) -> float:
    """Return the CPU seconds that it takes to fold *log*, telling *policy* the news."""
    state, dice = ExperimentState((GOAL,)), rng_at(3, 1)
    gc.collect()
    start = time.process_time()
    for clock, event in enumerate(log, 1):
        evolve(state, event)
        if isinstance(event, NEWS):
            rng = dice.split(clock)
            if policy is not None:
                policy.decide(event, state, rng)
    return time.process_time() - start


def picked(name: str, trials: int) -> float:
    """Return the CPU seconds of one choice of the next of *trials* trials that wait."""
    policy, state = made(name), ExperimentState((GOAL,))
    for number in range(trials):
        event = ev.Proposed(f"t_{number:05d}", number, config(number), {"cpu": 1.0})  # type: ignore[arg-type]
        evolve(state, event)
        policy.decide(event, state, rng_at(3, number))
    evolve(state, ev.WorkerJoined("w", {"cpu": 1.0}))  # type: ignore[arg-type]
    start = time.process_time()
    for _ in range(PICKS):
        policy.pick(state.placeable(), state)
    seconds = time.process_time() - start
    if len(state.having(Status.PENDING)) != trials:
        raise SystemExit("to pick is not to launch")
    return seconds / PICKS


def cost(name: str, trials: int) -> dict[str, Any]:
    """Return microseconds: of the policy alone for each result, of a choice, and of engine and simulator for each."""
    log, reports, seconds = played(name, trials)
    pairs = [(folded(log, made(name)), folded(log, None)) for _ in range(REPEATS)]
    return {
        "trials": trials,
        "count": reports,
        "policy_us": 1e6 * max(statistics.median(told - untold for told, untold in pairs), 0.0) / reports,
        "engine_us": 1e6 * seconds / reports,
        "pick_us": 1e6 * picked(name, trials),
    }


if __name__ == "__main__":
    print("\n" + json.dumps(cost(sys.argv[1], int(sys.argv[2]))), flush=True)
