"""The state of an experiment: what its views and indexes say."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.core import events as ev
from luthier.core.errors import IllegalEvent
from luthier.core.goal import Goal
from luthier.core.keep import Kept
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Outcome, Ref, Status, Then, TrialId, WorkerId

A, B = TrialId("a"), TrialId("b")
W = WorkerId("w")


def fold(*events: ev.Event, **fields: object) -> ExperimentState:
    s = ExperimentState(**fields)  # type: ignore[arg-type]
    for event in events:
        evolve(s, event)
    return s


def born(trial: TrialId = A, number: int = 0, **resources: float) -> ev.Proposed:
    return ev.Proposed(trial, number, {"x": 1}, resources or {"cpu": 1.0})


JOINED = ev.WorkerJoined(W, {"cpu": 2.0})
LAUNCHED = ev.Launched(A, 1, W, {"x": 1}, {"cpu": 1.0})


def test_views():
    s = fold(JOINED, born(), born(B, 1), LAUNCHED)
    assert s.trial(A).config == {"x": 1} and len(s) == 2 and s.held == 1
    assert list(s.having(Status.PENDING)) == [B] and list(s.having(Status.RUNNING)) == [A]
    assert [t.id for t in s.holders(W)] == [A] and list(s.holders(WorkerId("nobody"))) == []
    with pytest.raises(KeyError):
        s.trial(TrialId("nobody"))


def test_two_experiments_share_nothing():
    one, two = fold(JOINED, born(), ev.Enqueued({})), ExperimentState()
    assert not (two.trials or two.workers or two.waiting or two.idle or two.enqueued or two.by_status[Status.PENDING])
    assert one != two


def test_room():
    s = fold(ev.WorkerJoined(W, {"cpu": 1.0}), ev.WorkerJoined(WorkerId("v"), {"cpu": 2.0, "gpu": 1.0}))
    assert (s.room({"cpu": 1.0}), s.room({"gpu": 1.0}), s.room({"gpu": 2.0}), s.room({})) == (W, "v", None, W)
    assert ExperimentState().room({}) is None


def test_closed_until_somebody_asks_for_more():
    s = ExperimentState(num_trials=1)
    assert not s.closed
    evolve(s, born())
    assert s.closed
    evolve(s, ev.Enqueued({"x": 1}))
    assert not s.closed
    evolve(s, ev.Proposed(B, 1, {"x": 1}, {"cpu": 1.0}, enqueued=True))
    evolve(s, ev.Reopened(num_trials=-1))
    assert not s.closed
    evolve(s, ev.SpaceExhausted())
    assert s.closed


def test_free_is_counted_exactly():
    tenth = {"gpu": 0.1}
    trials = [TrialId(f"t{i}") for i in range(10)]
    s = fold(
        ev.WorkerJoined(W, {"gpu": 1.0}),
        *(ev.Proposed(t, i, {}, tenth) for i, t in enumerate(trials)),
        *(ev.Launched(t, 1, W, {}, tenth) for t in trials),
        *(ev.Exited(t, 1, Outcome.FINISHED) for t in trials),
    )
    assert s.workers[W].free == {"gpu": 1.0} and list(s.idle) == [W]


def test_placeable_is_first_come_first_over_shapes():
    s = fold(born(), born(B, 1, gpu=1.0), born(TrialId("c"), 2))
    assert s.placeable() == ()  # nobody has joined
    evolve(s, ev.WorkerJoined(W, {"cpu": 1.0, "gpu": 1.0}))
    assert list(s.placeable()) == [A, B, "c"]
    evolve(s, ev.WorkerJoined(W, {"gpu": 1.0}))
    assert list(s.placeable()) == [B]
    evolve(s, ev.WorkerJoined(W, {}))
    assert s.placeable() == () and fold(JOINED).placeable() == ()


def test_a_score_stays_until_the_next():
    metrics: list[dict[str, Any]] = [{"loss": 2.0}, {}, {"loss": None}, {"x": 1}]
    reports = [ev.Reported(A, 1, i, m) for i, m in enumerate(metrics)]
    s = fold(JOINED, born(), LAUNCHED, *reports, goals=(Goal("loss", "max"),))
    assert (s.trial(A).score, s.trial(A).metrics, s.trials[A].seq) == (-2.0, {"x": 1}, 3)
    assert fold(JOINED, born(), LAUNCHED, reports[0]).trial(A).score is None  # nothing is to be optimised


def test_checkpoints_are_ranked_kept_and_forgotten():
    s = fold(
        JOINED,
        born(),
        LAUNCHED,
        ev.Reported(A, 1, 0, {"loss": 2.0}, Ref("r0")),
        ev.Reported(A, 1, 1, {}, Ref("r1")),
        ev.Exited(A, 1, Outcome.HALTED, "", Ref("r2")),
        keep_by=Goal("loss", "min"),
    )
    assert s.trials[A].kept == (Kept(Ref("r0"), -2.0), Kept(Ref("r1")), Kept(Ref("r2")))
    evolve(s, ev.Forgotten(A, Ref("r1")))
    assert [k.ref for k in s.trials[A].kept] == ["r0", "r2"] and s.trial(A).checkpoint == "r2"


def test_failures_and_losses_are_counted():
    s = fold(JOINED, born())
    t = s.trials[A]
    for n, (outcome, failures, losses) in enumerate(
        [
            (Outcome.ERROR, 1, 0),
            (Outcome.LOST, 1, 1),
            (Outcome.HALTED, 1, 2),
            (Outcome.LEFT, 1, 2),
            (Outcome.FINISHED, 1, 2),
        ],
        1,
    ):
        evolve(s, ev.Launched(A, n, W, {}, {"cpu": 1.0}))
        evolve(s, ev.Exited(A, n, outcome, outcome.value))
        assert (t.failures, t.losses, t.reason, t.worker) == (failures, losses, outcome.value, None)
        evolve(s, ev.Requeued(A, {}, None, {"cpu": 1.0}))
    evolve(s, ev.Launched(A, 6, W, {}, {"cpu": 1.0}))
    evolve(s, ev.Halted(A, 6, Then.PAUSE, "later"))
    evolve(s, ev.Reported(A, 6, 0, {}))
    assert t.losses == 0
    evolve(s, ev.Exited(A, 6, Outcome.HALTED))
    assert t.losses == 0  # it was told to


def test_a_lost_worker_is_gone():
    s = fold(JOINED, born(), LAUNCHED, ev.WorkerLost(W), ev.Exited(A, 1, Outcome.LOST))
    assert not s.workers and not s.idle and s.trials[A].worker is None
    evolve(s, ev.WorkerLost(W))  # a log may say so twice


def test_a_rerun_has_its_lives_back():
    s = fold(JOINED, born(), LAUNCHED, ev.Exited(A, 1, Outcome.ERROR, "boom"), ev.Ended(A, Status.FAILED))
    assert (s.trials[A].failures, s.trials[A].reason) == (1, "boom")
    evolve(s, ev.Requeued(A, {"x": 1}, None, {"cpu": 1.0}))
    assert (s.trials[A].failures, s.trials[A].losses) == (0, 0)


def test_who_was_ended_with_all_its_time_is_known_until_it_is_tried_again():
    why = {"time": 9, "max_t": 9}
    halted = ev.Halted(A, 1, Then.STOP, "reached max_t", why=why)
    early = ev.Halted(A, 1, Then.STOP, "bad", why={"time": 9, "rung": 9})
    over = (ev.Exited(A, 1, Outcome.HALTED), ev.Ended(A, Status.STOPPED, "as it was told"))
    s = fold(JOINED, born(), LAUNCHED, halted, *over)
    assert s.trials[A].in_full
    evolve(s, ev.Requeued(A, {}, None, {"cpu": 1.0}))
    assert not s.trials[A].in_full
    assert not fold(JOINED, born(), LAUNCHED, early, *over).trials[A].in_full
    assert fold(born(), ev.Ended(A, Status.STOPPED, "while it waited", why)).trials[A].in_full
    ends_by_itself = fold(JOINED, born(), LAUNCHED, halted, ev.Exited(A, 1, Outcome.FINISHED), ev.Ended(A, Status.DONE))
    assert not ends_by_itself.trials[A].in_full


def test_switches():
    s = fold(ev.Enqueued({"x": 1}), ev.Enqueued({"x": 2}), ev.SpaceExhausted(), ev.StopRequested("why"), ev.Stalled())
    assert s.exhausted and s.stopping and s.num_trials is None
    evolve(s, ev.Proposed(A, 0, {"x": 1}, {}, enqueued=True))
    assert s.enqueued == [{"x": 2}]
    evolve(s, ev.Reopened())
    assert not s.exhausted and not s.stopping and s.num_trials is None
    evolve(s, ev.Reopened(7))
    assert s.num_trials == 7


def test_what_cannot_happen_is_refused_and_changes_nothing():
    s, before = fold(JOINED, born()), fold(JOINED, born())
    with pytest.raises(IllegalEvent, match="pending"):
        evolve(s, ev.Reported(A, 1, 0, {"loss": 1.0}))
    assert s == before
