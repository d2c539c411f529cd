"""Ours decides as Ray's ``MedianStoppingRule`` does."""

from __future__ import annotations

from collections import Counter
from typing import Any

from luthier.core.events import Reported
from luthier.core.goal import Goal
from luthier.core.policy import Pause, Stop
from luthier.core.rng import rng_at
from luthier.core.state import ExperimentState
from luthier.core.terms import Status, TrialId
from luthier.tune.schedulers import MedianStoppingRule


def decided(case):
    """Return for each result what ours makes of it."""
    arguments = dict(case["arguments"])
    goal = Goal("loss", arguments.pop("mode"))
    rule: Any = MedianStoppingRule(**arguments).build(goal)
    experiment, found = ExperimentState(goals=(goal,)), []
    for seq, (trial, time, loss, others) in enumerate(case["results"]):
        experiment.by_status[Status.PENDING] = {TrialId("another"): None} if others else {}
        metrics = {k: v for k, v in (("t", time), ("loss", loss)) if v is not None}
        decisions = rule.decide(Reported(TrialId(str(trial)), 1, seq, metrics), experiment, rng_at(0, seq))
        assert all(d.trial == str(trial) and d.reason and d.why for d in decisions)
        kinds = {type(d) for d in decisions}
        found.append("STOP" if Stop in kinds else "PAUSE" if Pause in kinds else "CONTINUE")
    return found


def test_the_same_results_lead_to_the_same_decisions(recorded):
    cases = recorded("median")
    assert len(cases) >= 40
    assert min(Counter(d for case in cases for d in case["decided"]).values()) > 50
    for number, case in enumerate(cases):
        assert decided(case) == case["decided"], f"case {number}"
