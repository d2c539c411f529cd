"""Ours plans, pauses and promotes as Ray's ``HyperBandScheduler`` and ``HyperBandForBOHB`` do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from luthier.core.events import Ended, Exited, Proposed, Reported
from luthier.core.goal import Goal
from luthier.core.policy import Pause, Resume, Stop
from luthier.core.rng import rng_at
from luthier.core.terms import Outcome, Status, TrialId
from luthier.tune import schedulers

RNG = rng_at(0)


class View:
    """An experiment of which more trials may come; its trials do at once what they are told."""

    closed, goals = False, ()

    def __init__(self, trials):
        self.trials = {TrialId(str(n)): SimpleNamespace(number=n, status=Status.RUNNING) for n in range(trials)}

    def trial(self, trial):
        return self.trials[trial]

    def having(self, status):
        return [t for t, view in self.trials.items() if view.status is status]


def played(case):
    """Return our answers and picks."""
    arguments = dict(case["arguments"])
    goal, bracket_of = Goal("loss", arguments.pop("mode")), case["bracket_of"]
    policy: Any = getattr(schedulers, case["class"])(**arguments).build(goal)
    view: Any = View(len(bracket_of))
    waiting = dict.fromkeys(view.trials)
    for number, trial in enumerate(view.trials):
        assert not policy.decide(Proposed(trial, number, {}, {}), view, RNG)
    assert [policy._of[trial].opened for trial in view.trials] == bracket_of
    answers, picks = [], []
    for seq, (number, time, value) in enumerate(case["results"]):
        trial = TrialId(str(number))
        waiting.pop(trial, None)
        view.trials[trial].status = Status.RUNNING
        decisions = policy.decide(Reported(trial, 1, seq, {"step": time, "loss": value}), view, RNG)
        said = {kind: sorted(int(d.trial) for d in decisions if isinstance(d, kind)) for kind in (Stop, Pause, Resume)}
        assert said[Pause] in ([], [number])
        own = "STOP" if number in said[Stop] else "PAUSE" if said[Pause] else "CONTINUE"
        answers.append([own, [n for n in said[Stop] if n != number], said[Resume]])
        for decision in decisions:
            who = view.trials[decision.trial]
            assert who.status in (Status.RUNNING, Status.PAUSED)
            who.status = {Stop: Status.STOPPED, Pause: Status.PAUSED, Resume: Status.PENDING}[type(decision)]
            if who.status is Status.PAUSED:
                assert not policy.decide(Exited(decision.trial, 1, Outcome.HALTED), view, RNG)
            if who.status is Status.STOPPED:
                assert not policy.decide(Ended(decision.trial, Status.STOPPED), view, RNG)
            if who.status is Status.PENDING:
                waiting[decision.trial] = None
        picks.append(None if not waiting else bracket_of[int(policy.pick(waiting.keys(), view))])
    return answers, picks


def test_brackets_have_the_same_shapes(recorded):
    cases, seen = recorded("hyperband"), 0
    for case in cases:
        for max_t, eta, brackets in case["plans"]:
            policy: Any = getattr(schedulers, case["class"])("step", "m", "min", max_t, eta).build(None)
            ours = {shape.s: [shape.s, *map(list, shape[1:3]), shape.work] for shape in policy._shapes}
            if case["class"] == "HyperBandForBOHB":
                assert list(ours) == sorted(ours, reverse=True)
            for place, theirs in enumerate(brackets):
                s = len(brackets) - 1 - place if case["class"] == "HyperBandForBOHB" else place
                exact = max_t / eta**s
                if exact == int(exact) != int(max_t * eta**-s):
                    continue  # Ray's rounding took a unit of time away
                assert ours.get(s) == theirs, f"max_t={max_t}, reduction_factor={eta}, s={s}"
                seen += 1
    assert seen > 800


@pytest.mark.parametrize("kind", ["HyperBandScheduler", "HyperBandForBOHB"])
def test_full_brackets_are_halved_alike(recorded, kind):
    cases = [case for case in recorded("hyperband") if case["class"] == kind]
    assert len(cases) >= 10
    assert sum(len(stopped) for case in cases for _, stopped, _ in case["answers"]) > 100
    for number, case in enumerate(cases):
        answers, picks = played(case)
        assert answers == case["answers"], f"case {number}"
        assert picks == [None if n is None else case["bracket_of"][n] for n in case["picks"]], f"case {number}"
