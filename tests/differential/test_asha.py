"""Ours decides as Ray's ``AsyncHyperBandScheduler`` does."""

from __future__ import annotations

import math
from typing import Any

from luthier.core.events import Reported
from luthier.core.goal import Goal
from luthier.core.policy import Stop
from luthier.core.rng import rng_at
from luthier.core.state import ExperimentState, TrialState
from luthier.core.terms import Label, Status, TrialId
from luthier.tune.schedulers import AsyncHyperBandScheduler


class Running(ExperimentState):
    """Every trial that is asked for runs."""

    def trial(self, trial):
        return TrialState(trial, 0, {}, {}, Label("", "", ""), Status.RUNNING)


def decided(case):
    """Return for each result whether ours stops its trial."""
    goal = Goal("loss", case["arguments"].pop("mode"))
    asha: Any = AsyncHyperBandScheduler(**case["arguments"]).build(goal)
    asha._bracket_of = {TrialId(str(trial)): bracket for trial, bracket in enumerate(case["bracket"])}
    experiment, stops = Running(goals=(goal,)), []
    for seq, (trial, time, loss) in enumerate(case["results"]):
        metrics = {k: v for k, v in (("step", time), ("loss", loss)) if v is not None}
        decisions = asha.decide(Reported(TrialId(str(trial)), 1, seq, metrics), experiment, rng_at(0, seq))
        assert all(isinstance(d, Stop) and d.trial == str(trial) for d in decisions)
        stops.append(bool(decisions))
    return stops


def test_the_same_results_stop_the_same_trials(recorded):
    cases = recorded("asha")
    assert len(cases) >= 40
    assert sum(map(sum, (case["stops"] for case in cases))) > 100
    for number, case in enumerate(cases):
        assert decided(dict(case, arguments=dict(case["arguments"]))) == case["stops"], f"case {number}"


def test_nan_and_the_infinities_differ_as_documented():
    """Ray lets NaN pass every rung and poisons a rung's cutoff with an infinity; see docs/explanation/asha.md."""

    def told(*losses):
        arguments = {"time_attr": "step", "mode": "min", "max_t": 9, "reduction_factor": 3}
        results = [[trial, 1.0, loss] for trial, loss in enumerate(losses)]
        return decided({"arguments": arguments, "bracket": [0] * 4, "results": results})

    assert told(0.5, math.nan, 0.5) == [False, True, False]
    assert told(math.nan, 0.5, 0.6) == [False, False, True]  # the first has nothing to be compared with
    assert told(0.5, math.inf, 0.5, 0.6) == [False, True, False, True]
    assert told(-math.inf, -math.inf, 0.5) == [False, False, True]
