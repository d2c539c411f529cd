"""Ours gives trials what Ray's ``DistributeResources`` and ``DistributeResourcesToTopJob`` give them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from luthier.tune import PlacementGroupFactory
from luthier.tune.schedulers.resource_changing_scheduler import DistributeResources, DistributeResourcesToTopJob


def allocated(case):
    """Return for each trial the bundles that ours gives it."""
    kind: Any = {"even": DistributeResources, "top": DistributeResourcesToTopJob}[case["kind"]]
    trials = [
        SimpleNamespace(
            trial_id=str(number), placement_group_factory=PlacementGroupFactory(held), last_result={"loss": value}
        )
        for number, (held, value) in enumerate(zip(case["bundles"], case["values"], strict=True))
    ]
    updater = SimpleNamespace(get_num_cpus=lambda: case["total"][0], get_num_gpus=lambda: case["total"][1])
    controller = SimpleNamespace(_resource_updater=updater, get_live_trials=lambda: trials)
    scheduler = SimpleNamespace(base_trial_resources=PlacementGroupFactory(case["base"]))
    allocate = kind(**case["arguments"])
    return [allocate(controller, trial, {"training_iteration": 1}, scheduler).bundles for trial in trials]


def test_trials_get_the_same(recorded):
    cases, changes = recorded("resources"), {"even": 0, "top": 0}
    assert len(cases) >= 40
    for number, case in enumerate(cases):
        assert allocated(case) == case["given"], f"case {number}: {case}"
        begun = [PlacementGroupFactory(held).bundles for held in case["bundles"]]
        changes[case["kind"]] += sum(a != b for a, b in zip(begun, case["given"], strict=True))
    assert min(changes.values()) > 20
