"""Ray's ``DistributeResources`` and ``DistributeResourcesToTopJob`` on random clusters.

A case holds the ``kind``, its ``arguments``, the ``total`` CPUs and GPUs, the ``base`` bundles, the ``bundles`` and
``values`` (the metric) of each trial that lives, and ``given``: for each trial the bundles that Ray gives it if it
reports now.  Amounts are halves, so that sums are exact; bundles hold CPUs and GPUs only, a metric is never missing,
``increase_by_times`` goes with ``increase_by`` and without ``add_bundles`` in the top job: the rest differs on purpose.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.differential import recording

if TYPE_CHECKING:
    import random


def make_arguments(chance: random.Random, *, top: bool) -> dict[str, Any]:
    """Return the arguments of one of the two."""
    step = chance.choice([{}, {}, {"CPU": 1}, {"CPU": 2}, {"GPU": 0.5}, {"CPU": 1, "GPU": 0.5}])
    apart = chance.random() < 0.4
    return {
        "add_bundles": apart,
        "increase_by": step,
        "increase_by_times": chance.choice([-1, 1, 2, 5]) if not top or (step and not apart) else -1,
        "reserve_resources": chance.choice([{}, {}, {"CPU": 1}, {"CPU": 2, "GPU": 1}]),
    } | ({"metric": "loss", "mode": chance.choice(["min", "max"])} if top else {})


def make_bundles(chance: random.Random, base: dict[str, float], arguments: dict[str, Any]) -> list[dict[str, float]]:
    """Return what a trial has: its base and some steps."""
    step = arguments["increase_by"] or (
        dict(base) if arguments["add_bundles"] else {"GPU": 1} if base.get("GPU") else {"CPU": 1}
    )
    steps = chance.choice([0, 0, 1, 2, 4])
    if arguments["add_bundles"]:
        return [dict(base), *(dict(step) for _ in range(steps))]
    return [{kind: base.get(kind, 0) + steps * step.get(kind, 0) for kind in ("CPU", "GPU")}]


def make_case(chance: random.Random) -> dict[str, Any]:
    from ray.tune import PlacementGroupFactory
    from ray.tune.schedulers.resource_changing_scheduler import DistributeResources, DistributeResourcesToTopJob

    top = chance.random() < 0.5
    arguments = make_arguments(chance, top=top)
    base: dict[str, float] = chance.choice(
        [{"CPU": 1}, {"CPU": 2}, {"CPU": 1, "GPU": 1}, {"CPU": 0.5}, {"CPU": 4, "GPU": 0.5}]
    )
    bundles = [make_bundles(chance, base, arguments) for _ in range(chance.choice([1, 2, 3, 6, 10]))]
    values = [chance.choice([0.1, 0.2, 0.3, 0.4]) for _ in bundles]
    total = [chance.choice([1, 4, 8, 16, 33, 64]), chance.choice([0, 1, 4, 8])]
    trials = [
        SimpleNamespace(
            trial_id=str(number), placement_group_factory=PlacementGroupFactory(held), last_result={"loss": value}
        )
        for number, (held, value) in enumerate(zip(bundles, values, strict=True))
    ]
    updater = SimpleNamespace(get_num_cpus=lambda: total[0], get_num_gpus=lambda: total[1])
    controller = SimpleNamespace(_resource_updater=updater, get_live_trials=lambda: trials)
    scheduler = SimpleNamespace(base_trial_resources=PlacementGroupFactory([base]))
    allocate = (DistributeResourcesToTopJob if top else DistributeResources)(**arguments)
    result = {"training_iteration": 1}
    given = [allocate(controller, trial, result, scheduler).bundles for trial in trials]
    return {
        "kind": "top" if top else "even", "arguments": arguments, "total": total, "base": [base],
        "bundles": bundles, "values": values, "given": given,
    }  # fmt: skip


recording.main(__name__, __file__, make_case)
