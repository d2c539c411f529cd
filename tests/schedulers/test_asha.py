"""ASHA against an oracle that recomputes each decision from the whole history."""

from __future__ import annotations

import math
import pickle
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, PolicyError
from luthier.core.events import Ended, Proposed, Reported, WorkerJoined
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Stop
from luthier.core.rng import rng_at
from luthier.core.state import ExperimentState, TrialState
from luthier.core.terms import Label, Status, TrialId, WorkerId
from luthier.schedulers.asha import Asha, Rung
from luthier.schedulers.registry import SCHEDULERS, create_scheduler, scheduler_class
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.tune.schedulers import ASHAScheduler

TIME = "training_iteration"


class Running(ExperimentState):
    """Every trial that is asked for runs."""

    def trial(self, trial: TrialId) -> TrialState:
        return TrialState(trial, 0, {}, {}, Label("", "", ""), Status.RUNNING)


LOSS = Running(goals=(Goal("loss", "min"),))


def told(asha: Asha, trial: str, experiment: ExperimentState = LOSS, **metrics: Any) -> str | None:
    """Return why *trial* is to be stopped, or None."""
    decisions = asha.decide(Reported(TrialId(trial), 1, 0, metrics), experiment, rng_at(0))
    assert len(decisions) <= 1 and all(isinstance(d, Stop) and d.trial == trial for d in decisions)
    return decisions[0].reason if decisions else None


def at(asha: Asha, trial: str, step: float, loss: float) -> str | None:
    return told(asha, trial, training_iteration=step, loss=loss)


class Oracle:
    """The rule as it is written down, without any cleverness."""

    def __init__(self, max_t: float, grace: float, factor: float, bracket: int, stop_last: bool) -> None:
        self.max_t, self.factor, self.stop_last = max_t, factor, stop_last
        self.rungs = [m for k in range(99) if (m := grace * factor**k) <= max_t][bracket:]
        self.history: list[tuple[str, float, float]] = []  # rung, trial, reward

    def stops(self, trial: str, time: float | None, loss: float | None) -> bool:
        if time is None or loss is None:
            return False
        if self.stop_last and time >= self.max_t:
            return True
        for rung in sorted((r for r in self.rungs if r <= time), reverse=True):
            there = [(who, reward) for who, milestone, reward in self.history if milestone == rung]
            if trial not in [who for who, _ in there]:
                reward = math.nan if loss == math.inf else -loss
                self.history.append((trial, rung, reward))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    scores = [r for _, r in there]
                    cutoff = np.nanpercentile(scores, (1 - 1 / self.factor) * 100) if scores else math.nan
                return bool(not math.isnan(cutoff) and (math.isnan(reward) or reward < cutoff))
            if not self.stop_last:
                return False
        return False


losses = st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.2, 0.5, math.nan, math.inf]), st.floats(-1e6, 1e6))
reports = st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 3), losses), max_size=120)


@settings(max_examples=120, deadline=None)
@given(
    reports,
    st.sampled_from([(9, 1, 3), (16, 2, 2), (100, 1, 4), (10, 1, 1.5), (81, 3, 3), (5, 5, 2), (1000, 1, 10)]),
    st.booleans(),
    st.sampled_from(["min", "max"]),
)
def test_it_decides_as_the_oracle_does(reports, shape, stop_last, mode):
    max_t, grace, factor = shape
    asha = Asha(
        max_t=max_t, grace_period=grace, reduction_factor=factor, stop_last_trials=stop_last, goal=Goal("m", mode)
    )
    oracle, steps = Oracle(max_t, grace, factor, 0, stop_last), Counter[int]()
    for trial, advance, loss in reports:
        steps[trial] += advance or 0
        metrics: dict[str, Any] = {} if advance is None else {TIME: steps[trial]}
        if loss is not None:
            metrics["m"] = loss if mode == "min" else -loss
        found = told(asha, str(trial), Running(), **metrics)
        worst = loss is not None and math.isnan(loss)
        expected = oracle.stops(str(trial), None if advance is None else steps[trial], math.inf if worst else loss)
        assert (found is not None) == expected


def test_first_come_first_passed_then_the_worse_go():
    asha = Asha(max_t=100, reduction_factor=4)
    assert at(asha, "a", 1, 0.9) is None
    assert at(asha, "b", 1, 0.9) is None  # as good as the cutoff
    assert at(asha, "c", 1, 0.91) == "rung 1: loss 0.91 is worse than the cutoff 0.9 (rank 3 of 3)"
    assert at(asha, "d", 1, 0.1) is None
    assert at(asha, "a", 2, 99.0) is None and at(asha, "a", 3, 99.0) is None  # between the rungs
    assert at(asha, "a", 4, 99.0) is None  # the first at rung 4
    assert "rung 4: loss 99.5" in str(at(asha, "b", 4, 99.5))
    assert at(asha, "d", 100, 0.0) == "reached max_t: training_iteration is 100 of 100"


def test_a_trial_that_skipped_a_rung_is_judged_there_later():
    asha = Asha(max_t=100, reduction_factor=3)
    at(asha, "a", 1, 0.1)
    at(asha, "b", 3, 0.5)  # first at rung 3; never seen at rung 1
    assert "rung 1:" in str(at(asha, "b", 4, 0.4))
    asha = Asha(max_t=100, reduction_factor=3, stop_last_trials=False)
    at(asha, "a", 1, 0.1)
    at(asha, "b", 3, 0.5)
    assert at(asha, "b", 4, 0.4) is None


def test_nan_is_the_worst_and_moves_no_cutoff():
    asha = Asha(max_t=9, reduction_factor=3)
    assert at(asha, "first", 1, math.nan) is None  # nothing to compare it with
    assert at(asha, "a", 1, 0.5) is None
    assert at(asha, "b", 1, math.nan) == "rung 1: loss inf is worse than the cutoff 0.5 (rank 2 of 2)"
    assert at(asha, "c", 1, 0.5) is None
    assert at(asha, "d", math.nan, 0.9) is None  # a time that is no number is no time


def test_the_best_there_is():
    asha = Asha(max_t=9, reduction_factor=2)
    assert at(asha, "a", 1, -math.inf) is None
    assert at(asha, "b", 1, 1.0) == "rung 1: loss 1 is worse than the cutoff -inf (rank 2 of 2)"
    assert at(asha, "c", 1, 1.0) is None  # half way between -inf and 1: whoever is as good as the worse passes
    assert at(asha, "d", 1, -math.inf) is None
    assert at(asha, "e", 1, -math.inf) is None


def test_without_time_or_metric_all_carry_on():
    asha = Asha(max_t=2)
    for metrics in ({}, {TIME: 50}, {"loss": 1.0}, {TIME: "x", "loss": 1.0}, {TIME: 50, "loss": "bad"}):
        assert told(asha, "a", **metrics) is None


def test_stop_last_trials_is_optional_and_time_may_be_nested():
    asha = Asha("epoch/n", max_t=4, reduction_factor=2, stop_last_trials=False)
    assert told(asha, "a", epoch={"n": 9}, loss=1.0) is None
    assert "rung 4" in str(told(asha, "b", epoch={"n": 9}, loss=2.0))


def test_reasons_speak_in_the_metric_s_own_sense():
    asha = Asha(max_t=9, goal=Goal("acc", "max"))
    told(asha, "a", Running(), training_iteration=1, acc=0.9)
    assert told(asha, "b", Running(), training_iteration=1, acc=0.5) == (
        "rung 1: acc 0.5 is worse than the cutoff 0.9 (rank 2 of 2)"
    )


def test_a_late_result_is_not_judged():
    class Halting(Running):
        def trial(self, trial: TrialId) -> TrialState:
            return TrialState(trial, 0, {}, {}, Label("", "", ""), Status.HALTING)

    asha = Asha(max_t=9, reduction_factor=3)
    at(asha, "a", 1, 0.5)
    assert told(asha, "b", Halting(goals=LOSS.goals), training_iteration=1, loss=0.1) is None
    assert at(asha, "c", 1, 0.5) is None


def test_it_says_where_it_stands():
    face = ASHAScheduler(metric="acc", mode="max", max_t=4, reduction_factor=2, brackets=2)
    policy: Any = face.build(None)
    told(policy, "a", Running(), training_iteration=1, acc=0.9)
    told(policy, "b", Running(), training_iteration=1, acc=0.5)
    assert face.debug_string().splitlines() == [
        "Using AsyncHyperBand: num_stopped=1",
        "Bracket: Iter 4.000: None | Iter 2.000: None | Iter 1.000: 0.7",
        "Bracket: Iter 4.000: None | Iter 2.000: None",
    ]
    assert "num_stopped=0" in pickle.loads(pickle.dumps(face)).debug_string()


def test_seconds_are_a_time_as_well():
    asha = Asha("time_total_s", max_t=60, grace_period=0.5, reduction_factor=2)
    assert told(asha, "a", time_total_s=0.7, loss=1.0) is None
    assert "rung 0.5" in str(told(asha, "b", time_total_s=0.9, loss=2.0))


def test_rungs_are_exact():
    # log(1000)/log(10) is 2.9999999999999996, and log(243)/log(3) 4.999999999999999
    assert repr(Asha(max_t=1000, reduction_factor=10)) == "Asha(rungs at 1, 10, 100, 1000)"
    assert repr(Asha(max_t=243, reduction_factor=3)) == "Asha(rungs at 1, 3, 9, 27, 81, 243)"
    assert repr(Asha(max_t=100, grace_period=5, reduction_factor=2.5)) == "Asha(rungs at 5, 12.5, 31.25, 78.125)"


def test_brackets_are_drawn_by_the_softmax_of_their_rungs():
    asha = Asha(max_t=9, reduction_factor=3, brackets=5)  # 3, 2, 1, 0, 0 rungs
    drawn: Counter[int] = Counter()
    for n in range(4000):
        asha.decide(Proposed(TrialId(f"t{n}"), n, {}, {}), LOSS, rng_at(1, n))
        drawn[asha._bracket_of[TrialId(f"t{n}")]] += 1
    weights = np.exp([3, 2, 1, 0, 0])
    for bracket, expected in enumerate(4000 * weights / weights.sum()):
        assert abs(drawn[bracket] - expected) < 5 * math.sqrt(expected)
    assert asha._draw(0.9999999999) == 4 and asha._draw(2.0) == 0


def test_the_same_place_gives_the_same_bracket_and_a_bracket_has_its_own_rungs():
    ashas = [Asha(max_t=9, reduction_factor=3, brackets=2) for _ in range(2)]
    for asha in ashas:
        for n in range(50):
            asha.decide(Proposed(TrialId(str(n)), n, {}, {}), LOSS, rng_at(3, n))
    assert ashas[0]._bracket_of == ashas[1]._bracket_of and set(ashas[0]._bracket_of.values()) == {0, 1}
    late = next(t for t, bracket in ashas[0]._bracket_of.items() if bracket == 1)
    soon = [t for t, bracket in ashas[0]._bracket_of.items() if bracket == 0][:2]
    at(ashas[0], soon[0], 1, 0.1)
    assert at(ashas[0], soon[1], 1, 0.2) and at(ashas[0], late, 1, 0.9) is None


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("max_t", 0), ("max_t", -1), ("max_t", math.nan), ("max_t", math.inf), ("max_t", "9"), ("max_t", True),
        ("grace_period", 0), ("grace_period", -0.5), ("grace_period", 101), ("grace_period", None),
        ("reduction_factor", 1), ("reduction_factor", 0), ("reduction_factor", math.nan), ("reduction_factor", "x"),
        ("brackets", 0), ("brackets", 1.5), ("brackets", []), ("time_attr", ""), ("time_attr", 3), ("goal", "loss"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(argument, given):
    bad: dict[str, Any] = {argument: given}
    with pytest.raises(BadArgument, match=f"^{argument}="):
        Asha(**bad)


def test_without_a_goal_it_says_so_before_anything_runs():
    engine = Engine(Limits(), Fixed([{"x": 1}]), Asha())
    with pytest.raises(PolicyError, match="Asha raised BadArgument on Proposed: metric=None") as caught:
        engine.handle(WorkerJoined(WorkerId("w"), {"cpu": 1.0}))
    assert isinstance(caught.value.__cause__, BadArgument)


def test_it_spends_little_on_the_bad_and_keeps_the_best():
    configs = [{"x": (i * 37 % 81) / 81} for i in range(81)]
    curve = lambda config, step: config["x"] + 1 / step
    engine = Engine(Limits(num_trials=81), Fixed(configs), Asha(max_t=81, reduction_factor=3), (Goal("loss", "min"),))
    world = World(engine, curve, length=81, workers=9)
    world.run()
    assert engine.finished and world.reports < 81 * 81 / 4
    last = [event for event in world.log if isinstance(event, Ended) and event.reason.startswith("reached max_t")]
    assert {"x": 0.0} in [engine.experiment.trials[event.trial].config for event in last]
    assert len(engine.experiment.having(Status.STOPPED)) == 81


def test_the_registry_knows_it():
    assert isinstance(create_scheduler("asha", max_t=4), Asha)
    assert scheduler_class("fifo")().pick([TrialId("a"), TrialId("b")], LOSS) == "a"
    assert {scheduler_class(name).__module__.rpartition(".")[2] for name in SCHEDULERS} >= {"asha", "fifo"}
    with pytest.raises(BadArgument, match=r"scheduler='hyperwhat' cannot be used: give one of .*asha.* fifo"):
        create_scheduler("hyperwhat")


@pytest.mark.parametrize("mode", ["min", "max"])
def test_perfect_scores_stop_only_who_is_worse(mode):
    perfect = -math.inf if mode == "min" else math.inf
    running = Running(goals=(Goal("loss", mode),))
    asha = Asha(max_t=9, reduction_factor=4)
    say = [told(asha, f"t{n}", running, training_iteration=1, loss=loss) for n, loss in enumerate([perfect] * 3)]
    assert say == [None] * 3
    rung = Rung(1)
    rung.scores = [-math.inf, -math.inf, 1.0, 2.0]
    assert [rung.cutoff(q) for q in (0.75, 0.9, 0.0)] == [-math.inf, -math.inf, 2.0]
    assert "worse than the cutoff" in (told(asha, "t9", running, training_iteration=1, loss=5.0) or "")
    assert told(asha, "t10", running, training_iteration=1, loss=perfect) is None


@pytest.mark.parametrize("name", ["asha", "asha_promotion", "pasha", "hyperband", "hb_bohb"])
def test_more_rungs_than_anybody_waits_for_are_refused(name):
    for factor in (1 + 1e-15, 1.0000001):
        with pytest.raises(BadArgument, match=r"reduction_factor=1\.0.*more than 10*00 rungs; give a number >= 1\.0"):
            create_scheduler(name, reduction_factor=factor)
    create_scheduler(name, reduction_factor=1.01)
    create_scheduler(name, reduction_factor=1e200, max_t=1e300)  # powers beyond all floats


@pytest.mark.parametrize("brackets", [1e300, 10**9])
def test_more_brackets_than_anybody_waits_for_are_refused(brackets):
    with pytest.raises(BadArgument, match=r"brackets=1.*a whole number <= 2500"):
        Asha(brackets=brackets)


@pytest.mark.parametrize("most", [1e-300, 1e300])
def test_a_least_rung_near_nothing(most):
    create_scheduler("asha", grace_period=1e-320, reduction_factor=1e160, max_t=most)
    create_scheduler("asha_promotion", grace_period=1e-320, reduction_factor=1e160, max_t=most)
