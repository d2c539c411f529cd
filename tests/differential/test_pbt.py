"""Ours looks at the same trials as Ray's ``PopulationBasedTraining``, and the same go on from the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from luthier.core.events import Ended, Proposed, Reported
from luthier.core.goal import Goal
from luthier.core.policy import Exploit
from luthier.core.rng import rng_at
from luthier.core.state import ExperimentState
from luthier.core.terms import Ref, Status, TrialId
from luthier.tune.schedulers import PopulationBasedTraining


class Draws:
    """Gives the places in the upper quantile that Ray's chance gave."""

    def __init__(self, looks):
        self.looks, self.left = looks, list(looks["draws"]) if looks else []

    def below(self, n):
        assert n == len(self.looks["upper"]), "the upper quantile has another size"
        return n - 1 - self.left.pop(0)

    def split(self, *place):
        return rng_at(0, *place)


class Experiment(ExperimentState):
    """All run."""

    def trial(self, trial):
        number = int(trial)
        return SimpleNamespace(
            id=trial,
            number=number,
            config={"x": number},
            status=Status.RUNNING,
            checkpoint=Ref(f"{trial}/c"),
            order=None,
        )


def play(case):
    """Play the case; return how many exploits there were."""
    arguments = dict(case["arguments"])
    goal = Goal("loss", arguments.pop("mode"))
    pbt: Any = PopulationBasedTraining(hyperparam_mutations={"x": [1, 2, 3]}, require_attrs=False, **arguments).build(
        goal
    )
    experiment, exploited = Experiment(goals=(goal,)), 0
    for number in range(case["trials"]):
        pbt.decide(Proposed(TrialId(str(number)), number, {}, {}), experiment, Draws(None))
    attempts = dict.fromkeys(range(case["trials"]), 1)
    for seq, (what, number, *report) in enumerate(case["steps"]):
        trial = TrialId(str(number))
        if what == "end":
            assert not pbt.decide(Ended(trial, Status.DONE), experiment, Draws(None))
            continue
        time, loss, looks = report
        news = Reported(trial, attempts[number], seq, {"step": time, "loss": loss}, Ref(f"{trial}/c"))
        draws = Draws(looks)
        before = repr(pbt._ranking), pbt._members[trial].time
        decisions = [d for d in pbt.decide(news, experiment, draws) if isinstance(d, Exploit)]
        looked = (repr(pbt._ranking), pbt._members[trial].time) != before
        assert [[int(d.trial), int(d.why["source"])] for d in decisions] == (looks["exploits"] if looks else [])
        assert not draws.left
        if looks is None:
            assert not looked, "it was looked at too early"
        elif looks["lower"]:
            assert pbt._ranking.worst(pbt.quantile_fraction) == looks["lower"]
            assert pbt._ranking.best(pbt.quantile_fraction) == looks["upper"]
        for decision in decisions:
            attempts[int(decision.trial)] += 1
        exploited += len(decisions)
    return exploited


def test_the_same_go_on_from_the_same(recorded):
    cases = recorded("pbt")
    assert len(cases) >= 40
    exploits = 0
    for number, case in enumerate(cases):
        try:
            exploits += play(case)
        except AssertionError as error:
            raise AssertionError(f"case {number}: {case['arguments']}, {case['trials']} trials: {error}") from error
    assert exploits > 100
