"""HyperBand: its plans, its rungs, and every way in which a bracket may come to an end."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, PolicyError
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Pause, Resume, Stop
from luthier.core.rng import rng_at
from luthier.core.terms import Outcome, Status, Then, TrialId, WorkerId
from luthier.schedulers.bracket import shape_of
from luthier.schedulers.hb_bohb import HyperbandForBohb
from luthier.schedulers.hyperband import Hyperband
from luthier.schedulers.registry import create_scheduler
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.testing.guards import inside
from luthier.tune import schedulers
from tests.laws.policies import Shy

LOSS = Goal("loss", "min")
KINDS = [Hyperband, HyperbandForBohb]
GOLDEN = Path(__file__).parents[1] / "golden"


def run(policy, xs, curve=None, *, workers: Any = 4, limits=None, length: Any = 81, until=math.inf, **world):
    """Play one trial for each x to the end; return the world."""
    limits = limits or Limits(num_trials=len(xs), max_failures=1)
    engine = Engine(limits, Fixed([{"x": x} for x in xs]), policy, (LOSS,))
    found = World(engine, curve or (lambda config, step: config["x"] + 1 / step), 1.0, length, workers, **world)
    found.run(until=until, reports=20_000)
    return found


def reached(world) -> dict[int, int]:
    """Return how far each trial came."""
    most: dict[int, int] = defaultdict(int)
    for event in world.log:
        if isinstance(event, ev.Reported):
            number = world.engine.experiment.trials[event.trial].number
            most[number] = max(most[number], event.metrics["training_iteration"])
    return dict(sorted(most.items()))


def reasons(world) -> list[tuple[str, str]]:
    """Return what was decided about whom, and why."""
    return [(e.trial, e.reason) for e in world.log if getattr(e, "why", None)]


class Alone:
    """A policy without an engine: its trials do at once what they are told."""

    def __init__(self, policy, trials=0):
        self.policy, self.closed, self.goals, self.rng = policy, False, (LOSS,), rng_at(0)
        self.trials: dict[TrialId, Any] = {}
        for _ in range(trials):
            self.add()

    def trial(self, trial):
        return self.trials[trial]

    def having(self, status):
        return [t for t, view in self.trials.items() if view.status is status]

    def tell(self, news):
        decisions = list(self.policy.decide(news, self, self.rng))
        for decision in decisions:
            after = {Pause: Status.PAUSED, Resume: Status.PENDING, Stop: Status.STOPPED}[type(decision)]
            self.trials[decision.trial].status = after
            if after is Status.STOPPED:
                assert not self.policy.decide(ev.Ended(decision.trial, after), self, self.rng)
        return decisions

    def add(self):
        number = len(self.trials)
        self.trials[TrialId(f"t{number}")] = SimpleNamespace(number=number, status=Status.RUNNING)
        assert not self.tell(ev.Proposed(TrialId(f"t{number}"), number, {}, {}))

    def report(self, number, time, loss=None, status=Status.RUNNING):
        trial = TrialId(f"t{number}")
        self.trials[trial].status = status
        metrics = {"training_iteration": time, "loss": loss}
        decisions = self.tell(ev.Reported(trial, 1, 0, {k: v for k, v in metrics.items() if v is not None}))
        return {d.trial: type(d).__name__ for d in decisions}

    def end(self, number, status=Status.FAILED):
        self.trials[TrialId(f"t{number}")].status = status
        return {d.trial: type(d).__name__ for d in self.tell(ev.Ended(TrialId(f"t{number}"), status))}


# -- plans -------------------------------------------------------------------------------------------------------------


def test_the_paper_s_own_example():
    # Table 1 of Li et al., JMLR 2018: R = 81, eta = 3.  Where a rung's size is no whole number it is rounded up here.
    shapes = [shape_of(s, 81, 3) for s in range(5)]
    assert [(shape.sizes[0], shape.milestones[0]) for shape in shapes if shape] == [
        (5, 81), (8, 27), (15, 9), (34, 3), (81, 1)
    ]  # fmt: skip
    assert shapes[4] is not None and shapes[4].sizes == (81, 27, 9, 3, 1) and shapes[4].milestones == (1, 3, 9, 27, 81)
    assert shapes[3] is not None and shapes[3].sizes == (34, 12, 4, 2)


def test_a_band_leaves_out_what_would_start_before_one():
    assert repr(Hyperband(max_t=30)) == "Hyperband(4 from 30, 6 from 10, 12 from 3, 27 from 1)"
    assert repr(Hyperband(max_t=48, reduction_factor=3)) == "Hyperband(5 from 48, 8 from 16, 15 from 5, 34 from 1)"
    assert repr(HyperbandForBohb(max_t=1)) == "HyperbandForBohb(1 from 1)"


@pytest.mark.parametrize(("max_t", "eta"), [(729, 3), (49, 7), (343, 7), (1000, 10), (243, 3)])
def test_powers_are_exact(max_t, eta):
    # 49 * 7**-2 is 0.9999999999999999, and that rounded down 0: a bracket would be missing.
    s = round(math.log(max_t, eta))
    shape = shape_of(s, max_t, eta)
    assert shape is not None and shape.milestones == tuple(eta**k for k in range(s + 1))


@given(st.floats(1, 5000), st.floats(1.05, 20))
@settings(max_examples=200, deadline=None)
def test_every_plan_grows_and_ends(max_t, eta):
    policy = Hyperband(max_t=max_t, reduction_factor=eta)
    for shape in policy._shapes:
        assert len(shape.sizes) == len(shape.milestones) == shape.s + 1
        assert shape.milestones[0] >= 1 and shape.milestones[-1] <= max_t
        assert all(b > a or b == int(max_t) for a, b in zip(shape.milestones, shape.milestones[1:], strict=False))
        assert all(1 <= b <= a for a, b in zip(shape.sizes, shape.sizes[1:], strict=False))
        assert shape.work >= shape.sizes[0] * shape.milestones[0]
    assert policy._shapes[0].milestones == (int(max_t),)


def test_budgets_are_all_milestones():
    assert Hyperband(max_t=100).budgets == (1, 3, 9, 11, 27, 33, 81, 99, 100)


# -- rungs -------------------------------------------------------------------------------------------------------------


def test_all_of_a_bracket_wait_and_the_best_third_go_on():
    world = run(HyperbandForBohb(max_t=9), [n / 9 for n in (4, 8, 1, 6, 0, 3, 7, 2, 5)], workers=3, length=99)
    assert reached(world) == {0: 1, 1: 1, 2: 3, 3: 1, 4: 9, 5: 1, 6: 1, 7: 3, 8: 1}
    assert sum(isinstance(e, ev.Paused) and e.trial == "t_00004" for e in world.log) == 2
    assert not any(isinstance(e, ev.Stalled) for e in world.log)
    assert world.engine.finished


def test_it_says_why():
    one = Alone(Hyperband("step", max_t=9), 3 + 5)  # of the second bracket: 5 from 3
    said = {}
    for number, loss in zip(range(3, 8), (0.3, 0.1, 0.5, 0.2, 0.4), strict=True):
        trial = TrialId(f"t{number}")
        for decision in one.tell(ev.Reported(trial, 1, 0, {"step": 3, "loss": loss})):
            said[decision.trial] = decision
    assert said[TrialId("t3")] == Stop(
        TrialId("t3"),
        "rank 3 of 5 at bracket 1, rung 3: loss 0.3 is not among the best 2 (cutoff 0.2)",
        {
            "time_attr": "step", "time": 3.0, "metric": "loss", "value": 0.3, "bracket": 1, "band": 0, "rung": 3,
            "cutoff": 0.2, "rank": 3, "of": 5,
        },
    )  # fmt: skip
    assert said[TrialId("t4")] == Resume(
        TrialId("t4"),
        "rank 1 of 5 at bracket 1, rung 3: loss 0.1 goes on to 9",
        {
            "time_attr": "step", "time": 3.0, "metric": "loss", "value": 0.1, "bracket": 1, "band": 0, "rung": 3,
            "cutoff": 0.2, "rank": 1, "of": 5, "next": 9,
        },
    )  # fmt: skip
    one.add()
    (pause,) = one.tell(ev.Reported(TrialId("t8"), 1, 0, {"step": 1, "loss": 0.5}))
    assert pause.reason == "bracket 2, rung 1: waits, 1 of 1 came; more may follow"
    assert pause.why == {
        "time_attr": "step", "time": 1.0, "metric": "loss", "value": 0.5, "bracket": 2, "band": 0, "rung": 1,
        "there": 1, "of": 1,
    }  # fmt: skip
    (stop,) = one.tell(ev.Reported(TrialId("t0"), 1, 0, {"step": 9, "loss": 0.5}))
    assert stop.reason == "bracket 0: reached its last rung: step is 9 of 9"
    assert stop.why == {"time_attr": "step", "time": 9.0, "bracket": 0, "band": 0, "rung": 9, "max_t": 9.0}


def test_values_are_told_as_they_were_reported():
    one = Alone(Hyperband(max_t=3, goal=Goal("acc", "max")), 2 + 3)
    decisions: list[Any] = []
    for number, acc in zip((2, 3, 4), (0.5, 0.9, 0.7), strict=True):
        decisions = one.tell(ev.Reported(TrialId(f"t{number}"), 1, 0, {"training_iteration": 1, "acc": acc}))
    assert [(d.trial, type(d), d.why["value"], d.why["cutoff"]) for d in decisions] == [
        ("t3", Resume, 0.9, 0.9), ("t4", Stop, 0.7, 0.9), ("t2", Stop, 0.5, 0.9)
    ]  # fmt: skip


def test_among_equals_the_older_goes_on():
    one = Alone(HyperbandForBohb(max_t=9), 9)
    for number in range(8, 0, -1):
        assert one.report(number, 1, 0.5) == {f"t{number}": "Pause"}
    assert one.report(0, 1, 0.5) == {f"t{n}": "Resume" if n < 3 else "Stop" for n in range(1, 9)}
    assert one.trials[TrialId("t0")].status is Status.RUNNING


def test_nan_is_worst_and_only_goes_on_for_want_of_others():
    one = Alone(HyperbandForBohb(max_t=9), 9)
    for number in range(8):
        one.report(number, 1, math.nan if number < 7 else 0.1)
    said = one.report(8, 1, math.inf)
    assert [t for t, what in said.items() if what == "Resume"] == ["t7", "t0", "t1"] and said["t8"] == "Stop"


def test_a_trial_is_judged_by_the_first_result_that_holds_the_metric():
    one = Alone(Hyperband(max_t=3), 2 + 3)
    assert one.report(2, 1) == {} and one.report(2, 2, 0.5) == {"t2": "Pause"}
    assert one.report(3, 0.5, 0.0) == {} and one.report(3, 1, 0.6) == {"t3": "Pause"}
    assert one.report(4, 1, 0.7) == {"t2": "Resume", "t3": "Stop", "t4": "Stop"}
    assert one.report(2, 3) == {"t2": "Stop"}  # at the last rung nothing is compared


def test_a_trial_that_never_had_the_metric_ends_all_the_same():
    one = Alone(Hyperband(max_t=3), 2 + 3)
    for number in (2, 3):
        one.report(number, 1, 0.5)
    assert one.report(4, 2) == {}
    assert one.report(4, 3) == {"t4": "Stop", "t2": "Resume", "t3": "Stop"}
    patient = Alone(Hyperband(max_t=3, stop_last_trials=False), 5)
    assert patient.report(4, 9) == {} and patient.report(0, 9, 0.1) == {}


def test_a_result_without_a_time_changes_nothing():
    one = Alone(Hyperband(max_t=3), 1)
    before = repr(inside(one.policy))
    for time in (None, "late", math.nan, math.inf, -math.inf):
        assert one.report(0, time, 0.1) == {}
    assert one.tell(ev.Reported(TrialId("t0"), 1, 0, {"training_iteration": None, "loss": 1.0})) == []
    assert repr(inside(one.policy)) == before


def test_time_may_be_seconds_and_nested():
    one = Alone(Hyperband("clock/s", max_t=3), 5)
    told = [ev.Reported(TrialId(f"t{n}"), 1, 0, {"clock": {"s": 1.25 + n}, "loss": 0.5}) for n in (2, 3, 4)]
    assert [len(one.tell(news)) for news in told] == [1, 1, 3]  # all of them are beyond the last rung, at 3
    assert one.having(Status.STOPPED) == ["t2", "t3", "t4"]


def test_late_results_change_nothing():
    one = Alone(Hyperband(max_t=9), 3 + 5)
    one.report(3, 3, 0.5)
    assert one.report(3, 4, 0.0, Status.HALTING) == {}  # it was told to pause and had another on its way
    assert one.report(3, 9, 0.0, Status.HALTING) == {}
    for number in (4, 5, 6):
        one.report(number, 3, 0.1)
    assert one.report(7, 3, 0.2)["t3"] == "Stop"
    assert one.report(3, 10, 0.0, Status.HALTING) == {}


def test_a_trial_that_begins_again_is_next_judged_at_the_next_rung():
    one = Alone(Hyperband(max_t=9), 3 + 5)
    for number in range(3, 7):
        one.report(number, 3, number / 10)
    one.report(7, 3, 0.9)
    assert [one.report(3, step, 0.5) for step in range(1, 9)] == [{}] * 8  # from 1 on, over the rung that it passed
    assert one.report(3, 9, 0.5) == {"t3": "Stop"}


def test_without_checkpoints_all_comes_to_an_end():
    xs = [(n * 7 % 12) / 12 for n in range(12)]
    for kind in KINDS:
        world = run(kind(max_t=9), xs, save_every=0)
        assert world.engine.finished and max(reached(world).values()) == 9
        for trial in world.engine.experiment.trials:
            at = [e.why["rung"] for e in world.log if isinstance(e, ev.Halted) and e.trial == trial and e.why]
            assert len(set(at)) == len(at), f"{trial} was paused twice at a rung"


def test_results_that_leap_over_rungs():
    one = Alone(HyperbandForBohb(max_t=27), 27)
    for number in range(26):
        assert one.report(number, 9, number / 27) == {f"t{number}": "Pause"}
    said = one.report(26, 9, 0.99)  # all are at rung 9 already: three halvings at once
    assert {t: what for t, what in said.items() if what == "Resume"} == {"t0": "Resume"} and len(said) == 27
    assert one.report(0, 27, 0.0) == {"t0": "Stop"}
    one = Alone(HyperbandForBohb(max_t=9), 9)
    one.report(0, 4, 0.0)
    for number in range(1, 8):
        one.report(number, 1, number / 9)
    assert one.report(8, 1, 0.9) == {"t1": "Resume", "t2": "Resume"} | {f"t{n}": "Stop" for n in range(3, 9)}
    one.report(1, 3, 0.5)
    assert one.report(2, 3, 0.4) == {"t0": "Resume", "t1": "Stop", "t2": "Stop"}
    one = Alone(HyperbandForBohb(max_t=9), 9)
    for number in range(8):
        one.report(number, 1, number / 9)
    assert one.report(8, 4, 0.0) == {"t8": "Pause", "t0": "Resume", "t1": "Resume"} | dict.fromkeys(
        [f"t{n}" for n in range(2, 8)], "Stop"
    )


def test_who_reached_the_last_rung_may_run_on():
    one = Alone(Hyperband(max_t=3, stop_last_trials=False), 5)
    for number in (2, 3):
        one.report(number, 1, 0.5)
    assert one.report(4, 9, 0.0) == {"t2": "Stop", "t3": "Stop"}
    assert [one.report(n, step, 0.5) for n in (0, 4) for step in (3, 4, 100)] == [{}] * 6


# -- brackets that lose trials, or never fill --------------------------------------------------------------------------


def test_trials_that_end_inside_a_rung_are_not_waited_for():
    one = Alone(Hyperband(max_t=3), 5)
    one.report(2, 1, 0.5)
    one.report(3, 1, 0.4)
    assert one.end(4) == {"t3": "Resume", "t2": "Stop"}
    one = Alone(Hyperband(max_t=3), 5)
    one.report(2, 1, 0.5)
    assert one.end(3) == {} and one.end(2, Status.DONE) == {} and one.end(4) == {}
    assert list(one.policy._brackets) == [0]  # nobody is in the other any more


def test_the_dead_count_as_dropped():
    one = Alone(HyperbandForBohb(max_t=9), 9)
    for number in range(4):
        one.end(number)
    for number in range(4, 8):
        one.report(number, 1, number / 9)
    assert one.report(8, 1, 0.0) == {"t4": "Resume", "t5": "Resume", "t6": "Stop", "t7": "Stop"}  # 3 of 9, as planned


def test_a_place_is_not_given_away_again():
    one = Alone(Hyperband(max_t=3), 1)
    one.end(0, Status.DONE)
    for _ in range(4):
        one.add()
    assert [one.policy._of[t].opened for t in one.trials] == [0, 0, 1, 1, 1]


def test_a_bracket_that_will_not_fill_is_halved_as_it_is():
    one = Alone(HyperbandForBohb(max_t=9), 4)
    for number in range(3):
        one.report(number, 1, number / 9)
    one.closed = True
    assert one.report(3, 1, 0.9) == {"t0": "Resume", "t1": "Resume", "t2": "Stop", "t3": "Stop"}  # 4 / 3, rounded up
    one.add()  # somebody extended the experiment after all
    assert one.policy._of[TrialId("t4")].opened == 1


def test_that_no_more_come_may_be_heard_of_later():
    one = Alone(HyperbandForBohb(max_t=9), 2)
    assert one.report(0, 1, 0.5) == {"t0": "Pause"} and one.report(1, 1, 0.4) == {"t1": "Pause"}
    one.closed = True
    said = one.tell(ev.Exited(TrialId("t1"), 1, Outcome.HALTED))
    assert [(type(d), d.trial) for d in said] == [(Resume, "t1"), (Stop, "t0")]


def test_a_short_bracket_does_not_wait_for_other_brackets():
    # 3 trials fill the first bracket and run for 9; 2 make up a part of the second, halved while the others run.
    world = run(Hyperband(max_t=9), [0.5] * 5, lambda config, step: 1.0, workers=5, length=99)
    assert not any(isinstance(e, ev.Stalled) for e in world.log) and world.now == 9.0


def test_a_standstill_halves_what_is_there():
    one = Alone(HyperbandForBohb(max_t=9), 4)
    for number in range(4):
        one.report(number, 1, number / 9)
    assert [(type(d), d.trial) for d in one.tell(ev.Stalled())] == [
        (Resume, "t0"), (Resume, "t1"), (Stop, "t2"), (Stop, "t3")
    ]  # fmt: skip
    assert one.tell(ev.Stalled()) == []


def test_a_searcher_that_waits_for_ends_gets_them():
    # It proposes two, then one more for each that came to its end by itself, and eight in all.
    engine = Engine(Limits(), Shy(), Hyperband(max_t=9, stop_last_trials=False), (LOSS,))
    world = World(engine, lambda config, step: config["x"], 1.0, 9, 4)
    world.run(reports=1000)
    assert engine.finished and len(engine.experiment) == 8


def test_who_was_paused_by_somebody_else_is_set_free():
    one = Alone(Hyperband(max_t=3), 5)
    one.trials[TrialId("t2")].status = Status.PAUSED
    assert [(type(d), d.trial) for d in one.tell(ev.Stalled())] == [(Resume, "t2")]
    one.trials[TrialId("x")] = SimpleNamespace(number=9, status=Status.PAUSED)
    one.report(3, 1, 0.0)
    one.report(4, 1, 0.1)
    assert one.report(2, 1, 0.2)["t2"] == "Stop"
    one.trials[TrialId("t2")].status = Status.PAUSED  # as if the stop had not been heard
    assert {d.trial: type(d) for d in one.tell(ev.Stalled())} == {"t2": Stop, "x": Resume}


def test_who_is_started_again_after_its_end_joins_in():
    one = Alone(Hyperband(max_t=9), 3 + 5)
    one.end(3)
    for number in (4, 5, 6):
        one.report(number, 3, number / 10)
    assert one.report(3, 1, 0.9) == {}  # it is back
    assert one.report(7, 3, 0.7) == {"t7": "Pause"}  # and waited for
    assert one.report(3, 3, 0.0) == {"t4": "Resume", "t5": "Stop", "t6": "Stop", "t7": "Stop"}
    one.end(3)
    one.report(4, 9, 0.0)
    assert one.report(3, 5, 0.0) == {} and one.report(3, 9, 0.0) == {"t3": "Stop"}  # its bracket was gone
    one = Alone(Hyperband(max_t=9), 3 + 5)
    one.report(3, 3, 0.5)
    assert one.report(3, 1, 0.5) == {} and one.report(3, 3, 0.5) == {"t3": "Pause"}  # from scratch while it was paused
    assert one.tell(ev.Reported(TrialId("t99"), 1, 0, {"training_iteration": 1})) == []
    assert one.tell(ev.Ended(TrialId("t99"), Status.DONE)) == []


def worst(config, step):
    return math.nan


def none(config, step):
    return {} if step < 40 else {"loss": 1.0}


CURVES: dict[str, Any] = {
    "falling": None,
    "equal": lambda config, step: 0.5,
    "nan": worst,
    "some nan": lambda config, step: math.nan if round(config["x"] * 10) % 3 else config["x"],
    "no metric": none,
    "nothing ever": lambda config, step: {},
    "rising": lambda config, step: config["x"] + step,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("curve", CURVES)
def test_all_comes_to_an_end(kind, curve):
    for trials in (1, 2, 3, 4, 8, 9, 17, 40):
        for workers in (1, 3, 50):
            xs = [(n * 7 % 12) / 12 for n in range(trials)]
            world = run(kind(max_t=9), xs, CURVES[curve], workers=workers, length=20)
            assert world.engine.finished, f"{trials} trials on {workers} workers"
            assert len(world.engine.experiment) == trials and max(reached(world).values()) == 9
            assert not any("nothing was left" in e.reason for e in world.log if isinstance(e, ev.Ended))


@pytest.mark.parametrize("kind", KINDS)
def test_failures_inside_rungs_end_nothing_but_trials(kind):
    for seed in range(8):
        xs = [(n * 7 % 12) / 12 for n in range(30)]
        world = run(kind(max_t=9), xs, failure_rate=0.15, loss_rate=0.05, seed=seed, save_every=seed % 3)
        assert world.engine.finished and all(t.status.final for t in world.engine.experiment.trials.values())
        assert not any("nothing was left" in e.reason for e in world.log if isinstance(e, ev.Ended))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS), st.sampled_from([(9, 3), (8, 2), (10, 1.5), (20, 4), (1, 2), (30, 2.5)]),
    st.integers(1, 30), st.integers(1, 12), st.integers(0, 2), st.integers(0, 99), st.booleans(),
)  # fmt: skip
def test_the_worse_never_pass_the_better(kind, shape, trials, workers, save_every, seed, stop_last):
    dice = rng_at(seed)
    xs = [dice.choice([0.0, 0.25, 0.5, dice.random(), math.nan]) for _ in range(trials)]
    world = run(
        kind("training_iteration", None, *shape, stop_last), xs, lambda config, step: config["x"], workers=workers,
        length=35, save_every=save_every, failure_rate=0.02, seed=seed,
    )  # fmt: skip
    assert world.engine.finished
    rungs: dict[Any, list[Any]] = defaultdict(list)
    for event in world.log:
        why = getattr(event, "why", None)
        if why and "rank" in why:
            rungs[why["band"], why["bracket"], why["rung"]].append((why["rank"], why["value"], event, why))
    for found in rungs.values():
        found.sort(key=lambda each: each[0])
        of, cutoff = found[0][3]["of"], found[0][3]["cutoff"]
        ranks = [rank for rank, *_ in found]
        assert len(set(ranks)) == len(ranks) >= of - 1, "each is judged once"
        stopped = [rank for rank, _, event, _ in found if not goes_on(event)]
        assert stopped == list(range(of - len(stopped) + 1, of + 1)), "the worst are stopped, and they only"
        assert all(value <= cutoff or cutoff == math.inf for _, value, event, _ in found if goes_on(event))


def goes_on(event):
    return isinstance(event, ev.Requeued) or (isinstance(event, ev.Halted) and event.then is Then.REQUEUE)


# -- restoring ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_restored_anywhere_it_goes_on_alike(kind, rate):
    xs = [(n * 7 % 12) / 12 for n in range(11)]
    limits = Limits(num_trials=11, max_failures=1, seed=4)
    arguments: dict[str, Any] = {"workers": 3, "length": 12, "limits": limits, "failure_rate": rate}
    whole = run(kind(max_t=9), xs, **arguments)
    assert sum(isinstance(e, ev.Paused) for e in whole.log) >= 4

    def fresh():
        return Engine(limits, Fixed([{"x": x} for x in xs]), kind(max_t=9), (LOSS,))

    for told in range(whole.reports):
        world = World(fresh(), whole.curve, 1.0, 12, 3, failure_rate=rate)
        world.run(reports=told)
        before = world.engine
        world.engine = Engine.replay(fresh, world.log)
        assert repr(inside(world.engine.scheduler)) == repr(inside(before.scheduler))
        world.run()
        assert repr(world.log) == repr(whole.log), f"a restart after {told} results changed what followed"


def extended(kind, limits, xs):
    return Engine(limits, Fixed([{"x": x} for x in xs]), kind(max_t=9), (LOSS,))


@pytest.mark.parametrize("kind", KINDS)
def test_extended_anywhere_it_comes_to_an_end(kind):
    # The log of before is replayed under the limits of now: brackets that were halved short seem to be filling still.
    xs = [(n * 7 % 12) / 12 for n in range(20)]
    for told in range(0, 60, 3):
        world = run(kind(max_t=9), xs, limits=Limits(num_trials=6, seed=4), workers=3, length=12, until=-1)
        world.run(reports=told)
        more = Limits(num_trials=20, seed=4)
        again = Engine.replay(functools.partial(extended, kind, more, xs), world.log)
        world.engine = again
        world.tell(ev.Reopened(num_trials=20))
        world.run(reports=5_000)
        assert again.finished and len(again.experiment) == 20, f"extended after {told} results"
        assert not any("nothing was left" in e.reason for e in world.log if isinstance(e, ev.Ended))


@pytest.mark.parametrize(("name", "kind"), [("hyperband", Hyperband), ("hb_bohb", HyperbandForBohb)])
def test_it_still_decides_as_it_did_once(name, kind):
    # To record anew after a change that is meant: write the text that differs into the file.
    xs = [math.nan if n % 9 == 7 else (n * 17 % 31) / 31 for n in range(22)]
    world = run(kind(max_t=9), xs, workers=4, length=12, failure_rate=0.05, seed=2)
    text = "".join(f"{trial} {reason}\n" for trial, reason in reasons(world))
    assert text == (GOLDEN / f"{name}.txt").read_text("utf-8")


# -- who goes next -----------------------------------------------------------------------------------------------------


def test_the_least_complete_bracket_of_the_earliest_band_goes_first():
    one = Alone(Hyperband(max_t=3), 5 + 5)  # two bands of 2 from 3 and 3 from 1
    ids = list(one.trials)
    assert one.policy.pick(iter(ids), one) == "t0"
    one.report(0, 1, 0.5)
    assert one.policy.pick(ids, one) == "t2"  # a sixth of the first is done, nothing of the second
    for number in (2, 3):
        one.report(number, 1, 0.5)
    assert one.policy.pick(ids, one) == "t1"
    assert one.policy.pick(ids[5:], one) == "t5"
    assert one.policy.pick(dict.fromkeys(reversed(ids)).keys(), one) == "t1"
    assert one.policy.pick([TrialId("stranger")], one) == "stranger"


def test_bohb_serves_brackets_as_they_were_opened():
    one = Alone(HyperbandForBohb(max_t=3), 5 + 5)
    ids = list(one.trials)
    one.report(0, 1, 0.5)
    assert [one.policy.pick(ids[n:], one) for n in (0, 3, 5)] == ["t1", "t3", "t5"]


def test_a_failed_trial_waits_in_its_bracket_again():
    one = Alone(HyperbandForBohb(max_t=3), 3)
    one.report(0, 0.5, 0.5)
    one.tell(ev.Exited(TrialId("t0"), 1, Outcome.ERROR))
    assert list(one.policy._of[TrialId("t0")].ready) == ["t1", "t2", "t0"]


def test_paused_trials_let_the_rest_of_the_bracket_come():
    world = run(HyperbandForBohb(max_t=9), [n / 9 for n in range(9)], workers=2, length=99)
    first = [e.trial for e in world.log if isinstance(e, ev.Launched)][:9]
    assert first == [f"t_{n:05d}" for n in range(9)]


# -- arguments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("max_t", 0), ("max_t", 0.5), ("max_t", -1), ("max_t", math.nan), ("max_t", math.inf), ("max_t", "9"),
        ("max_t", True), ("reduction_factor", 1), ("reduction_factor", 0), ("reduction_factor", math.nan),
        ("reduction_factor", "x"), ("time_attr", ""), ("time_attr", 3),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(argument, given):
    bad: dict[str, Any] = {argument: given}
    for kind in (Hyperband, HyperbandForBohb, schedulers.HyperBandScheduler, schedulers.HyperBandForBOHB):
        with pytest.raises(BadArgument, match=f"^{argument}="):
            kind(**bad)
    with pytest.raises(BadArgument, match=r"^goal="):
        Hyperband(goal="loss")  # type: ignore[arg-type]


def test_without_a_goal_it_says_so_before_anything_runs():
    engine = Engine(Limits(), Fixed([{"x": 1}]), Hyperband())
    with pytest.raises(PolicyError, match="Hyperband raised BadArgument on Proposed: metric=None"):
        engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 1.0}))
    with pytest.raises(BadArgument, match=r"^metric=None"):
        schedulers.HyperBandScheduler().build(None)


def test_names_and_defaults_are_those_that_users_know():
    assert isinstance(create_scheduler("hyperband"), Hyperband)
    assert isinstance(create_scheduler("hb_bohb"), HyperbandForBohb)
    for name, kind, policy in (
        ("hyperband", schedulers.HyperBandScheduler, Hyperband),
        ("hb_bohb", schedulers.HyperBandForBOHB, HyperbandForBohb),
    ):
        made: Any = schedulers.create_scheduler(name, metric="loss", mode="min")
        assert type(made) is kind and type(made.build(None)) is policy
        given = (made.time_attr, made.max_t, made.reduction_factor, made.stop_last_trials)
        assert given == ("training_iteration", 81, 3, True)
    assert schedulers.HyperBandScheduler.__module__ == "luthier.tune.schedulers.hyperband"
    assert schedulers.HyperBandForBOHB.__module__ == "luthier.tune.schedulers.hb_bohb"
