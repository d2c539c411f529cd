"""The median rule against an oracle that recomputes all from the whole history; what becomes of the paused."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
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
from luthier.core.state import ExperimentState
from luthier.core.terms import Status, Then, TrialId, WorkerId
from luthier.schedulers.course import Course, Field
from luthier.schedulers.median import MedianRule
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.tune.schedulers import MedianStoppingRule, create_scheduler

TIME = "training_iteration"
LOSS = ExperimentState(goals=(Goal("loss", "min"),))


def rule(**given: Any) -> MedianRule:
    return MedianRule(**{"time_attr": TIME, "grace_period": 1, **given})


def told(median: MedianRule, trial: str, experiment: ExperimentState = LOSS, **metrics: Any) -> str | None:
    """Return why *trial* does not go on, or None."""
    decisions = median.decide(ev.Reported(TrialId(trial), 1, 0, metrics), experiment, rng_at(0))
    assert all(d.trial == trial for d in decisions)
    return decisions[0].reason if decisions else None


def at(median: MedianRule, trial: str, step: float, loss: float) -> str | None:
    return told(median, trial, training_iteration=step, loss=loss)


class Oracle:
    """The rule as it is written down, without any cleverness."""

    def __init__(self, grace: float, least: int) -> None:
        self.grace, self.least = grace, least
        self.told: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def mean(self, trial: str, time: float) -> float:
        scores = [score for at, score in self.told[trial] if self.grace <= at <= time]
        if len(set(scores)) == 1:
            return scores[0]
        with np.errstate(all="ignore"):
            return float(np.mean(scores)) if scores else math.nan

    def stops(self, trial: str, time: float, score: float) -> bool:
        self.told[trial].append((time, score))
        if time < self.grace:
            return False
        others = [t for t, told in self.told.items() if t != trial and told[-1][0] >= time]
        means = [mean for mean in (self.mean(t, time) for t in others) if math.isfinite(mean)]
        best = min(s for _, s in self.told[trial])
        return bool(len(means) >= self.least and best > np.median(means))


losses = st.one_of(st.sampled_from([0.0, 0.1, 0.2, 0.5, math.inf, -math.inf]), st.floats(-1e6, 1e6))
moves = st.sampled_from([1, 1, 1, 1, 0, 2, 0.5, -1, -3])
reports = st.lists(st.tuples(st.integers(0, 8), moves, losses), max_size=150)


@settings(max_examples=150, deadline=None)
@given(reports, st.sampled_from([0, 1, 2.5]), st.integers(1, 4), st.sampled_from(["min", "max"]), st.booleans())
def test_it_decides_as_the_oracle_does(reports, grace, least, mode, seconds):
    median = MedianRule("t", Goal("m", mode), grace, min_samples_required=least)
    oracle, times, gone = Oracle(grace, least), Counter[int](), set()
    for trial, advance, loss in reports:
        times[trial] = max(times[trial] + advance * (1 + trial / 7 if seconds else 1), 0)
        if trial not in gone:
            found = told(median, str(trial), ExperimentState(), t=times[trial], m=loss if mode == "min" else -loss)
            assert (found is not None) == oracle.stops(str(trial), times[trial], loss)
            if found is not None:
                gone.add(trial)


def test_worse_than_half_of_the_others_on_average():
    median = rule()
    for trial, loss in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        assert at(median, trial, 1, loss) is None  # too few others
    assert at(median, "d", 1, 0.2) is None  # equal is not worse
    assert at(median, "e", 1, 0.26) == (  # of 0.1, 0.2, 0.2 and 0.3
        "worse than the median 0.2 of 4 others: loss was 0.26 at best when training_iteration was 1 (rank 4 of 5)"
    )
    (stop,) = median.decide(ev.Reported(TrialId("f"), 1, 0, {TIME: 1, "loss": 9.0}), LOSS, rng_at(0))
    assert stop == Stop(TrialId("f"), stop.reason, {
        "metric": "loss", "value": 9.0, "time_attr": TIME, "time": 1.0, "cutoff": 0.2, "rank": 6, "of": 6,
    })  # fmt: skip


def test_the_best_so_far_counts_not_the_last():
    median = rule()
    for trial in "abc":
        at(median, trial, 1, 0.5)
        at(median, trial, 2, 0.5)
    assert at(median, "d", 1, 0.4) is None and at(median, "d", 2, 99.0) is None


def test_what_came_before_the_grace_period_is_in_no_average_but_may_be_the_best():
    median = rule(grace_period=2)
    for trial in "abc":
        at(median, trial, 1, 99.0)
        at(median, trial, 2, 1.0)
    assert at(median, "d", 2, 1.5) is not None
    assert at(median, "e", 1, 0.5) is None and at(median, "e", 2, 1.5) is None


def test_reasons_speak_in_the_metric_s_own_sense():
    median = rule(goal=Goal("acc", "max"), min_samples_required=1)
    told(median, "a", training_iteration=1, acc=0.9)
    assert "acc was 0.5 at best" in str(told(median, "b", training_iteration=1, acc=0.5))


def test_seconds_of_which_no_two_are_alike():
    median = MedianRule(min_samples_required=2, grace_period=1.0)  # by time_total_s
    for trial, late in (("a", 0.0), ("b", 0.01), ("c", 0.02)):
        for step in range(1, 6):
            assert told(median, trial, time_total_s=step + late, loss=1 / step) is None
    assert told(median, "d", time_total_s=0.5, loss=5.0) is None
    assert "median 0.75 of 3 others" in str(told(median, "d", time_total_s=2.5, loss=0.8))


def test_without_time_or_metric_all_carry_on():
    median = rule(min_samples_required=1)
    at(median, "a", 5, 0.0)
    nothing: tuple[dict[str, Any], ...] = (
        {}, {TIME: 5}, {"loss": 9.0}, {TIME: "5", "loss": 9.0}, {TIME: math.nan, "loss": 9.0},
        {TIME: math.inf, "loss": 9.0}, {TIME: 5, "loss": None},
    )  # fmt: skip
    for metrics in nothing:
        assert told(median, "b", **metrics) is None
    assert at(median, "b", 5, 9.0)


# -- where it differs from Ray on purpose, as docs/how-to/stop-early.md says -------------------------------------------


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("value", [0.1, 0.7, 1 / 3])
def test_trials_that_are_all_equal_all_go_on(mode, value):
    median = rule(goal=Goal("m", mode))
    for step in range(1, 200):  # the mean of three times 0.1 is 0.10000000000000002 where rounding is left alone
        for trial in "abcde":
            assert told(median, trial, training_iteration=step, m=value) is None


def test_nan_is_the_worst_there_is_whenever_it_comes():
    median = rule(min_samples_required=2)
    for trial in "abc":
        at(median, trial, 1, 0.5)
        at(median, trial, 2, 0.5)
    assert "loss was inf at best" in str(at(median, "first", 1, math.nan))
    assert at(median, "later", 0.5, math.nan) is None and at(median, "later", 1, 0.4) is None
    assert at(median, "later", 2, math.nan) is None  # it has been better
    assert "of 3 others" in str(at(median, "d", 2, 0.6))  # no average holds the NaN


# -- a trial that begins again -----------------------------------------------------------------------------------------


def test_a_trial_that_begins_again_is_only_as_far_as_it_is():
    median = rule(min_samples_required=3)
    for trial in "abc":
        for step in (1, 2, 3, 4):
            at(median, trial, step, 0.5)
    assert at(median, "c", 1, 0.1) is None  # begins again
    assert at(median, "d", 4, 9.0) is None  # two are as far
    assert at(median, "e", 1, 0.4) is None
    assert at(median, "c", 4, 0.1) is None
    assert "of 4 others" in str(at(median, "f", 4, 9.0))  # e is not as far


def test_the_same_time_twice_is_one_time():
    median = rule(min_samples_required=1)
    for loss in (1.0, 2.0, 3.0):
        at(median, "a", 1, loss)
    assert "median 2 of" in str(at(median, "b", 1, 2.5))
    assert at(median, "c", 1, 2.0) is None


# -- those that are put off --------------------------------------------------------------------------------------------


def played(median, workers=4, trials=12, **world: Any) -> tuple[Engine, World]:
    configs = [{"x": (n * 7 % trials) / trials} for n in range(trials)]
    engine = Engine(Limits(num_trials=trials, seed=3), Fixed(configs), median, (Goal("loss", "min"),))
    return engine, World(engine, lambda config, step: config["x"] + 1 / step, length=9, workers=workers, **world)


def test_what_is_put_off_goes_on_when_nothing_else_is_left():
    engine, world = played(rule(grace_period=2, hard_stop=False))
    world.run()
    assert engine.finished and len(engine.experiment.having(Status.DONE)) == 12
    paused = [e.trial for e in world.log if isinstance(e, ev.Paused)]
    requeued = [e for e in world.log if isinstance(e, ev.Requeued)]
    assert paused and paused == [e.trial for e in requeued]
    assert all("nothing else is left" in e.reason for e in requeued)
    stalled = next(n for n, e in enumerate(world.log) if isinstance(e, ev.Stalled))
    assert not any(isinstance(e, ev.Requeued) for e in world.log[:stalled])
    others = {e.trial for e in world.log[:stalled] if isinstance(e, ev.Ended)}
    assert others | set(paused) == set(engine.experiment.trials)


def test_what_is_put_off_is_not_heard_any_more():
    median = rule(min_samples_required=1, hard_stop=False)
    at(median, "a", 1, 0.1)
    (pause,) = median.decide(ev.Reported(TrialId("b"), 1, 0, {TIME: 1, "loss": 0.5}), LOSS, rng_at(0))
    assert isinstance(pause, Pause) and pause.why and pause.why["cutoff"] == 0.1
    assert at(median, "b", 1, 0.0) is None  # a late result
    assert at(median, "b", 2, 99.0) is None  # after it was resumed
    assert "median 0.3 of 2 others" in str(at(median, "c", 1, 0.4))


def test_it_yields_to_those_that_wait_while_there_are_too_few_others():
    waiting = ExperimentState(goals=(Goal("loss", "min"),))
    waiting.by_status[Status.PENDING] = {TrialId("x"): None}
    median = rule(min_time_slice=2)

    def yields(trial, step):
        report = ev.Reported(TrialId(trial), 1, 0, {TIME: step, "loss": 1.0})
        return [type(d) for d in median.decide(report, waiting, rng_at(0))]

    assert yields("a", 1) == [Pause, Resume]
    assert [yields("a", step) for step in (2, 3, 4)] == [[], [], [Pause, Resume]]
    assert at(median, "b", 9, 1.0) is None  # nobody waits
    assert yields("b", 0.5) == []  # not even judged yet
    waiting.by_status[Status.PENDING] = {TrialId("b"): None}
    assert yields("c", 0.9) == [] and yields("c", 8) == [Pause, Resume]
    assert at(median, "b", 9, 1.0) is None and yields("c", 9) == []  # nobody waits that would be one to compare with


def test_who_yields_waits_behind_the_others_with_its_checkpoint():
    engine, world = played(rule(min_samples_required=3), workers=2, trials=3, save_every=1, loss_rate=0.2, seed=1)
    world.run()
    assert engine.finished and len(engine.experiment.having(Status.DONE)) == 3
    yielded = [e for e in world.log if isinstance(e, ev.Halted) and e.then is Then.REQUEUE]
    assert yielded and all("yields to trials that wait" in e.reason for e in yielded)
    assert all(e.restore for e in world.log if isinstance(e, ev.Requeued) and "yields" in e.reason)


# -- liveness ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hard_stop", [True, False])
@pytest.mark.parametrize("trials", [1, 2, 4, 13])
@pytest.mark.parametrize("workers", [1, 3, 20])
@pytest.mark.parametrize(
    "curve",
    [
        lambda config, step: 0.1, lambda config, step: math.nan, lambda config, step: {},
        lambda config, step: math.inf, lambda config, step: round(config["x"]),
        lambda config, step: -step * config["x"],
    ],
    ids=["equal", "nan", "missing", "infinite", "ties", "falling"],
)  # fmt: skip
def test_all_end(hard_stop, trials, workers, curve):
    engine, world = played(rule(hard_stop=hard_stop, min_samples_required=2), workers, trials)
    world.curve = curve
    world.run(reports=10_000)
    assert engine.finished and len(engine.experiment) == trials
    assert all(t.status in (Status.DONE, Status.STOPPED) for t in engine.experiment.trials.values())
    assert engine.experiment.having(Status.DONE)
    if not hard_stop:
        assert not engine.experiment.having(Status.STOPPED)


@pytest.mark.parametrize("hard_stop", [True, False])
def test_trials_that_fail_and_workers_that_are_lost(hard_stop):
    for trials in (2, 5, 13):
        engine, world = played(
            rule(hard_stop=hard_stop, grace_period=2), 3, trials, failure_rate=0.1, loss_rate=0.05, save_every=4
        )
        world.run(reports=10_000)
        assert engine.finished and all(t.status.final for t in engine.experiment.trials.values())


@pytest.mark.parametrize("hard_stop", [True, False])
def test_a_restart_at_any_moment_changes_nothing(hard_stop):
    def make():
        return played(rule(hard_stop=hard_stop, grace_period=2), workers=3)

    _, whole = make()
    whole.run()
    for told_before in range(1, len([e for e in whole.log if isinstance(e, ev.Reported)]), 3):
        _, world = make()
        world.run(reports=told_before)
        world.engine = Engine.replay(lambda: make()[0], world.log)
        world.run()
        assert repr(world.log) == repr(whole.log), f"after {told_before} results"


# -- arguments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("time_attr", ""), ("time_attr", 3), ("grace_period", -1), ("grace_period", math.nan), ("grace_period", "x"),
        ("grace_period", math.inf), ("min_samples_required", 0), ("min_samples_required", 1.5), ("min_time_slice", -1),
        ("min_time_slice", None), ("mode", "maximum"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(argument, given):
    bad: dict[str, Any] = {argument: given}
    with pytest.raises(BadArgument, match=f"^{argument}="):
        MedianStoppingRule(**bad)


def test_without_a_goal_it_says_so_before_anything_runs():
    with pytest.raises(BadArgument, match="the median stopping rule needs them"):
        MedianStoppingRule().build(None)
    engine = Engine(Limits(), Fixed([{"x": 1}]), MedianRule())
    with pytest.raises(PolicyError, match="MedianRule raised BadArgument on Proposed: metric=None"):
        engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 1.0}))


def test_ray_s_names_and_defaults():
    for name in ("median_stopping_rule", "medianstopping"):
        made: Any = create_scheduler(name)
        assert (made.time_attr, made.grace_period, made.min_samples_required) == ("time_total_s", 60.0, 3)
        assert (made.min_time_slice, made.hard_stop, made.metric, made.mode) == (0, True, None, None)
    built: Any = create_scheduler("medianstopping", grace_period=2, hard_stop=False).build(Goal("a", "max"))
    assert (built.grace_period, built.hard_stop, built.goal) == (2, False, Goal("a", "max"))
    assert built.time_attr == "time_total_s"


def test_it_spends_less_on_the_bad_and_keeps_the_best():
    configs = [{"x": (i * 37 % 81) / 81} for i in range(81)]
    engine = Engine(Limits(num_trials=81), Fixed(configs), rule(), (Goal("loss", "min"),))
    world = World(engine, lambda config, step: config["x"] + 1 / step, length=81, workers=9)
    world.run()
    assert engine.finished and world.reports < 81 * 81 / 2
    assert {"x": 0.0} in [engine.experiment.trials[t].config for t in engine.experiment.having(Status.DONE)]


def test_a_run_that_was_written_down_once():
    engine, world = played(rule(grace_period=2))
    world.run()
    stops = [e for e in world.log if isinstance(e, ev.Halted)]
    told = [
        (e.trial, e.why["time"], e.why["value"], e.why["cutoff"], e.why["rank"], e.why["of"]) for e in stops if e.why
    ]
    assert engine.finished and [(t, at, round(v, 3), round(c, 3), r, of) for t, at, v, c, r, of in told] == [
        ("t_00003", 2, 1.25, 0.667, 4, 4),
        ("t_00004", 3, 0.667, 0.583, 3, 4),
        ("t_00005", 2, 1.417, 0.833, 6, 6),
        ("t_00006", 2, 1.0, 0.958, 4, 7),
        ("t_00008", 2, 1.167, 0.917, 7, 9),
        ("t_00010", 2, 1.333, 0.917, 10, 11),
        ("t_00009", 4, 0.5, 0.486, 3, 5),
        ("t_00011", 3, 0.75, 0.625, 5, 7),
    ]  # fmt: skip


def test_a_median_of_huge_numbers_is_finite():
    field = Field(since=1)
    for score in (1.5e308, 1.7e308):
        field.enter(Course(), 1, score)
    assert field.median(1) == 1.6e308
