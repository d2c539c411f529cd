"""Ray's ``AsyncHyperBandScheduler`` on random streams.

A case holds ``arguments`` of the scheduler, ``bracket`` of each trial (chance draws it in Ray, so it is forced, to the
same on both sides), ``results`` as ``[trial, time or None, value or None]``, and ``stops``: for each result whether Ray
stopped the trial.  Values are finite: what NaN and the infinities do differs on purpose.  A stopped trial reports no
more.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.differential import recording

if TYPE_CHECKING:
    import random

SHAPES = [  # max_t, grace_period, reduction_factor
    (9, 1, 3), (16, 2, 2), (100, 1, 4), (10, 1, 1.5), (81, 3, 3), (5, 5, 2), (30, 1, 10), (20, 1.5, 2.5), (12, 0.5, 2),
]  # fmt: skip


def make_arguments(chance: random.Random) -> dict[str, Any]:
    """Return the scheduler's arguments."""
    max_t, grace_period, reduction_factor = chance.choice(SHAPES)
    return {
        "time_attr": "step",
        "mode": chance.choice(["min", "max"]),
        "max_t": max_t,
        "grace_period": grace_period,
        "reduction_factor": reduction_factor,
        "brackets": chance.choice([1, 1, 2, 3]),
        "stop_last_trials": chance.random() < 0.7,
    }


def make_values(chance: random.Random) -> Any:
    """Return what draws a metric's value: all equal, with many ties, whole numbers, or any number."""
    return chance.choice([
        lambda: 0.5,
        lambda: chance.choice([0.1, 0.2, 0.3]),
        lambda: chance.randrange(-5, 6),
        lambda: chance.gauss(0, 1),
        lambda: chance.lognormvariate(0, 8) * chance.choice([-1, 1]),
    ])  # fmt: skip


def make_case(chance: random.Random) -> dict[str, Any]:
    from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

    arguments = make_arguments(chance)
    ray = AsyncHyperBandScheduler(metric="loss", **arguments)
    trials = [SimpleNamespace(trial_id=str(number)) for number in range(chance.choice([1, 2, 5, 12, 30]))]
    bracket = [chance.randrange(arguments["brackets"]) for _ in trials]
    for known, number in zip(trials, bracket, strict=True):
        ray.on_trial_add(None, known)
        ray._trial_info[known.trial_id] = ray._brackets[number]
    value, step = make_values(chance), chance.choice([1, 1, 2, 0.5])
    skips, gaps = chance.random() < 0.4, chance.random() < 0.3
    alive, times = list(range(len(trials))), [0.0] * len(trials)
    results: list[list[Any]] = []
    stops: list[bool] = []
    while alive and len(results) < 120:
        trial = chance.choice(alive)
        times[trial] += step * (chance.choice([0, 1, 1, 3, 9]) if skips else 1)
        time = None if gaps and chance.random() < 0.1 else times[trial]
        loss = None if gaps and chance.random() < 0.1 else value()
        result = {k: v for k, v in (("step", time), ("loss", loss)) if v is not None}
        stopped = ray.on_trial_result(None, trials[trial], result) == TrialScheduler.STOP
        results.append([trial, time, loss])
        stops.append(stopped)
        if stopped or times[trial] > 1.5 * arguments["max_t"]:
            alive.remove(trial)
    return {"arguments": arguments, "bracket": bracket, "results": results, "stops": stops}


recording.main(__name__, __file__, make_case)
