"""Ray's stoppers on random streams.

A case holds ``stopper`` (a class and its arguments, or several such for a ``CombinedStopper``), ``results`` as
``[trial, metrics, clock]``, and ``answers``: for each what Ray said of the trial, and of all.  A trial whose answer was
yes reports no more.  Results without the metric or with NaN, and a threshold of 0, are treated otherwise on purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.differential import recording

if TYPE_CHECKING:
    import random


def make_stopper(chance: random.Random) -> list[Any]:
    """Return the name of a class of Ray's, and its arguments."""
    threshold = chance.choice([None, None, 0.3, -0.5])
    return chance.choice([
        ["MaximumIterationStopper", {"max_iter": chance.randrange(1, 9)}],
        ["NoopStopper", {}],
        ["TimeoutStopper", {"timeout": chance.choice([0, 3, 7.5])}],
        ["TrialPlateauStopper", {
            "metric": "loss", "std": chance.choice([0.01, 0.1, 0.5]), "num_results": chance.choice([1, 2, 4, 6]),
            "grace_period": chance.choice([0, 1, 4, 7]), "metric_threshold": threshold,
            "mode": chance.choice(["min", "max"]) if threshold is not None else None,
        }],
        ["ExperimentPlateauStopper", {
            "metric": "loss", "std": chance.choice([0.001, 0.01, 0.2]), "top": chance.choice([2, 3, 10]),
            "mode": chance.choice(["min", "max"]), "patience": chance.choice([0, 1, 3]),
        }],
    ])  # fmt: skip


def make_case(chance: random.Random) -> dict[str, Any]:
    from ray.tune import stopper as theirs

    several = chance.random() < 0.25
    described = [make_stopper(chance) for _ in range(1 + several)]
    described.sort(key=lambda pair: pair[0])  # ExperimentPlateau first: Ray does not ask on once one has said yes
    made = [getattr(theirs, name)(**arguments) for name, arguments in described]
    stopper = theirs.CombinedStopper(*made) if several else made[0]
    noise = chance.choice([0.0, 0.001, 0.02, 0.3])
    alive, clock = list(range(chance.choice([1, 3, 6]))), 100.0
    results: list[list[Any]] = []
    answers: list[list[bool]] = []
    with mock.patch("time.time") as now:
        while alive and len(results) < 60:
            trial = chance.choice(alive)
            clock += chance.choice([0.0, 0.25, 1.0])
            loss = round(0.5 ** sum(r[0] == trial for r in results) + noise * chance.gauss(0, 1), 5)
            metrics = {"loss": loss, "training_iteration": len(results)}
            now.return_value = clock
            said = bool(stopper(str(trial), dict(metrics)))
            every = bool(stopper.stop_all())
            results.append([trial, metrics, clock])
            answers.append([said, every])
            if said:
                alive.remove(trial)
            if every:
                break
    return {"stopper": described, "results": results, "answers": answers}


recording.main(__name__, __file__, make_case)
