"""Early termination as W&B's engine does it; recorded in ``tests/differential/golden/sweeps.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.core.errors import BadArgument
from luthier.core.events import Ended, Exited, Proposed, Reported
from luthier.core.goal import Goal
from luthier.core.policy import Stop
from luthier.core.rng import rng_at
from luthier.core.state import ExperimentState
from luthier.core.terms import Outcome, Ref, Status, TrialId
from luthier.schedulers.hyperband_stopping import HyperbandStopping
from luthier.schedulers.registry import create_scheduler
from luthier.tune.schedulers import HyperBandStopping
from luthier.tune.schedulers import create_scheduler as create_face

GOLDEN = Path(__file__).parents[1] / "differential" / "golden" / "sweeps.json"
CASES = json.loads(GOLDEN.read_text("utf-8"))["stopping"]
LOSS = Goal("loss", "min")


class Stage:
    """A policy, and what it says to each result."""

    def __init__(self, goal: Goal = LOSS, **arguments: Any) -> None:
        self.policy = HyperbandStopping(goal, **arguments)
        self.experiment = ExperimentState(goals=(goal,))
        self.seq = 0

    def row(self, trial: int, attempt: int = 1, checkpoint: Ref | None = None, **metrics: Any) -> list[int]:
        self.seq += 1
        news = Reported(TrialId(str(trial)), attempt, self.seq, metrics, checkpoint)
        decisions = self.policy.decide(news, self.experiment, rng_at(0, self.seq))
        assert all(type(d) is Stop and d.reason and d.why for d in decisions)
        return sorted(int(d.trial) for d in decisions)

    def end(self, trial: int) -> None:
        for news in (Exited(TrialId(str(trial)), 1, Outcome.FINISHED), Ended(TrialId(str(trial)), Status.DONE)):
            assert not self.policy.decide(news, self.experiment, rng_at(0))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_it_stops_whom_the_engine_stops(number):
    case = CASES[number]
    arguments = {key: value for key, value in case["early"].items() if key != "type"}
    stage = Stage(Goal("loss", "min" if case["goal"] == "minimize" else "max"), **arguments)
    for (trial, value), stopped in zip(case["rows"], case["stopped"], strict=True):
        if value == "end":
            stage.end(trial)
            continue
        found = stage.row(trial, **({"other": 1} if value is None else {"loss": value}))
        assert found == stopped
        for other in found:
            stage.end(other)


def test_the_recording_stops_enough():
    assert sum(len(stopped) for case in CASES for stopped in case["stopped"]) > 100


@pytest.mark.parametrize(
    ("arguments", "bands"),
    [
        ({"min_iter": 3}, (3, 9, 27, 81)),
        ({"min_iter": 1, "eta": 1.5}, (1, 2, 3, 5)),
        ({"max_iter": 27, "s": 2}, (3, 9)),
        ({"max_iter": 27, "s": 9}, (1, 3, 9)),
        ({"max_iter": 16, "s": 2, "eta": 2, "min_iter": 5}, (4, 8)),
    ],
)
def test_bands(arguments, bands):
    assert HyperbandStopping(**arguments).bands[:4] == bands
    assert all(band < 2**53 for band in HyperbandStopping(**arguments).bands)


def test_others_are_judged_again_when_somebody_better_comes():
    stage = Stage(min_iter=2, eta=2)
    stage.row(0, loss=1), stage.row(1, loss=1)
    assert stage.row(0, loss=3.0) == []
    assert stage.row(0, loss=0.1) == []  # strict: what counts is what it had at the band
    assert stage.row(1, loss=2.0) == []  # of two nobody goes
    assert stage.row(2, loss=1) == [] and stage.row(2, loss=1.0) == [0]


def test_a_good_start_saves_where_it_is_not_strict():
    stage = Stage(min_iter=2, eta=2, strict=False)
    stage.row(0, loss=0.1), stage.row(0, loss=3.0)
    for trial in (1, 2):
        stage.row(trial, loss=9)
        assert stage.row(trial, loss=2.0 - trial) == []


def test_rows_without_a_finite_number_do_not_count():
    stage = Stage(min_iter=2, eta=2)
    for metrics in ({"loss": 1}, {"other": 3}, {"loss": float("nan")}, {"loss": float("inf")}, {"loss": "x"}):
        assert stage.row(0, **metrics) == []
    assert stage.policy._courses[TrialId("0")].rows == 1


def test_who_begins_anew_is_compared_by_what_it_has_then():
    stage = Stage(min_iter=2, eta=2)
    for trial, loss in ((0, 1.0), (1, 2.0)):
        stage.row(trial, loss=9), stage.row(trial, loss=loss)
    stage.row(1, attempt=2, loss=9)  # without a checkpoint: its first row again
    assert stage.row(1, attempt=2, loss=0.5) == []
    assert stage.row(2, loss=9) == [] and stage.row(2, loss=0.7) == [0]  # 0.5, 0.7, 1.0


def test_who_goes_on_from_a_checkpoint_keeps_its_count():
    stage = Stage(min_iter=3, eta=2)
    stage.row(0, loss=1)
    stage.row(0, loss=1, checkpoint=Ref("c"))
    stage.row(0, loss=1), stage.row(0, loss=1)
    stage.row(0, attempt=2, loss=5)
    assert stage.policy._courses[TrialId("0")].rows == 3
    assert stage.policy._bands[0].had == {"0": 5}


def test_late_results_of_who_was_stopped_change_nothing():
    stage = Stage(min_iter=1, eta=3)
    stage.row(0, loss=1)
    assert stage.row(1, loss=2) == [1]
    assert stage.row(1, loss=0.1) == [] and stage.row(1, loss=0.1) == []
    assert stage.policy._bands[0].scores == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({}, "min_iter"),
        ({"min_iter": 0}, "min_iter"),
        ({"min_iter": 1.5}, "min_iter"),
        ({"max_iter": 9}, "s"),
        ({"max_iter": 9, "s": 0}, "s"),
        ({"max_iter": 2, "s": 3}, "max_iter"),
        ({"min_iter": 1, "eta": 1}, "eta"),
        ({"min_iter": 1, "strict": "no"}, "strict"),
        ({"min_iter": 1, "goal": "loss"}, "goal"),
    ],
)
def test_bad_arguments(arguments, argument):
    with pytest.raises(BadArgument, match="cannot be used") as caught:
        HyperbandStopping(**arguments)
    assert caught.value.argument == argument


def test_it_asks_for_a_metric_before_anything_has_run():
    policy = HyperbandStopping(min_iter=1)
    with pytest.raises(BadArgument, match="metric"):
        policy.decide(Proposed(TrialId("t"), 0, {}, {}), ExperimentState(), rng_at(0))


def test_names():
    assert repr(create_scheduler("hyperband_stopping", min_iter=2)) == repr(HyperbandStopping(min_iter=2))
    face = create_face("hyperband_stopping", max_iter=9, s=1)
    assert type(face) is HyperBandStopping and repr(face.build(LOSS)) == "HyperbandStopping(bands at 3)"
    with pytest.raises(BadArgument, match="metric"):
        face.build(None)
    with pytest.raises(BadArgument, match="min_iter"):
        HyperBandStopping("loss", "min")
