"""Ray's ``MedianStoppingRule`` on random streams.

A case holds ``arguments`` of the scheduler, ``results`` as ``[trial, time or None, value or None, whether others
wait]``, and ``decided``: for each result what Ray made of it.  Times are steps, seconds, or steps of which some trials
report only every so many; some trials begin again at an earlier time.  A stopped trial reports no more, a paused one
does.  No trial's first value is NaN, and numbers of which many are alike add up exactly: there the two differ on
purpose.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.differential import recording

if TYPE_CHECKING:
    import random


class Trial:
    """Just enough of a trial."""

    trial_id = "t"


def make_values(chance: random.Random) -> Any:
    """Return what draws a metric's value: all equal, many ties, whole numbers, or any; not finite now and then."""
    usual = chance.choice([
        lambda: 0.5,
        lambda: chance.choice([0.125, 0.25, 0.5]),
        lambda: chance.randrange(-5, 6),
        lambda: round(chance.gauss(0, 1), 4),
        lambda: round(chance.gauss(0, 1), 4),
        lambda: chance.lognormvariate(0, 8) * chance.choice([-1, 1]),
    ])  # fmt: skip
    odd = [float("inf"), float("-inf"), float("nan")] if chance.random() < 0.2 else []
    return lambda first: chance.choice(odd[: 2 if first else 3]) if odd and chance.random() < 0.03 else usual()


def make_arguments(chance: random.Random) -> dict[str, Any]:
    """Return the scheduler's arguments."""
    return {
        "time_attr": "t",
        "mode": chance.choice(["min", "max"]),
        "grace_period": chance.choice([0, 1, 1, 2.5, 4]),
        "min_samples_required": chance.choice([1, 2, 3, 3, 5]),
        "min_time_slice": chance.choice([0, 0, 3]),
        "hard_stop": chance.random() < 0.7,
    }


def make_case(chance: random.Random) -> dict[str, Any]:
    from ray.tune.schedulers import MedianStoppingRule

    arguments = make_arguments(chance)
    ray = MedianStoppingRule(metric="loss", **arguments)
    count = chance.choice([2, 5, 12, 12, 30])
    trials = [Trial() for _ in range(count)]
    value, seconds = make_values(chance), chance.random() < 0.4
    every = [chance.choice([1, 1, 2, 5]) if chance.random() < 0.3 else 1 for _ in trials]
    speed = [round(chance.uniform(0.5, 2), 1) for _ in trials]
    gaps, falls = chance.random() < 0.3, chance.random() < 0.3
    waiting = chance.random() < 0.3
    alive, times, told = list(range(count)), [0.0] * count, [0] * count
    results: list[list[Any]] = []
    decided: list[str] = []
    while alive and len(results) < 110:
        trial = chance.choice(alive)
        times[trial] += speed[trial] * round(chance.uniform(0.8, 1.2), 3) if seconds else every[trial]
        if falls and chance.random() < 0.05:
            times[trial] = chance.choice([times[trial] / 2, 0.5, 1.0, max(times[trial] - 2.0, 0.25)])
        time = None if gaps and chance.random() < 0.1 else times[trial]
        loss = None if gaps and chance.random() < 0.1 else value(not told[trial])
        others = waiting and chance.random() < 0.5
        told[trial] += time is not None and loss is not None
        live = [SimpleNamespace(status="PENDING" if others else "RUNNING")]
        controller: Any = SimpleNamespace(get_live_trials=lambda live=live: live)
        result = {k: v for k, v in (("t", time), ("loss", loss)) if v is not None}
        answer = ray.on_trial_result(controller, trials[trial], result)
        results.append([trial, time, loss, others])
        decided.append(answer)
        if answer == "STOP" or times[trial] > 25:
            alive.remove(trial)
    return {"arguments": arguments, "results": results, "decided": decided}


recording.main(__name__, __file__, make_case)
