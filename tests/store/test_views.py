from __future__ import annotations

import time

import pytest

from luthier.core import events as ev
from luthier.core.errors import NotAnExperiment
from luthier.core.goal import Goal
from luthier.core.terms import Label, Outcome, Ref, Status, Then, TrialId, WorkerId
from luthier.store.base import Record
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.store.reader import ExperimentReader
from luthier.store.rows import TrialFacts, date, result_row
from luthier.store.views import ExperimentRow, TrialRow, fold, reports

A, B, C, W = TrialId("a"), TrialId("b"), TrialId("c"), WorkerId("w")
ONE, TWO = {"cpu": 1.0}, {"cpu": 2.0}

STORY: list[list[ev.Event]] = [
    [
        ev.WorkerJoined(W, {"cpu": 3.0}),
        ev.Proposed(A, 0, {"lr": 0.1}, ONE, Label("train_a", "train_a_0_lr=0.1", "0_lr=0.1")),
        ev.Launched(A, 1, W, {"lr": 0.1}, ONE),
        ev.Proposed(B, 1, {"lr": 0.2}, ONE),
        ev.Launched(B, 1, W, {"lr": 0.2}, ONE),
        ev.SpaceExhausted(),
    ],
    [ev.Reported(A, 1, 0, {"loss": 0.5}, Ref("a/c0"))],
    [ev.Reported(B, 1, 0, {"loss": 0.9}), ev.Halted(B, 1, Then.REQUEUE, "exploits a", {"lr": 0.3}, Ref("a/c0"), TWO)],
    [ev.Exited(B, 1, Outcome.HALTED), ev.Requeued(B, {"lr": 0.3}, Ref("a/c0"), TWO)],
    [ev.Launched(B, 2, W, {"lr": 0.3}, TWO, Ref("a/c0"))],
    [ev.Reported(A, 1, 1, {"loss": 0.4, "acc": 1})],
    [ev.Exited(B, 2, Outcome.ERROR, "ValueError: no"), ev.Requeued(B, {"lr": 0.3}, Ref("a/c0"), TWO)],
    [ev.Exited(A, 1, Outcome.FINISHED, "", Ref("a/c1")), ev.Ended(A, Status.DONE), ev.Forgotten(A, Ref("a/c0"))],
    [ev.Launched(B, 3, W, {"lr": 0.3}, TWO, Ref("a/c0"))],
    [ev.Exited(B, 3, Outcome.ERROR, "ValueError: again"), ev.Ended(B, Status.FAILED, "3 failures")],
]


def log(story=STORY):
    end = 0
    for i, batch in enumerate(story):
        yield Record(end, 100.0 + i, tuple(batch))
        end += len(batch)


def test_a_row_tells_what_became_of_a_trial():
    row = fold(log())
    assert row.trials[A] == TrialRow(
        id=A,
        number=0,
        config={"lr": 0.1},
        resources=ONE,
        label=Label("train_a", "train_a_0_lr=0.1", "0_lr=0.1"),
        created=100.0,
        status=Status.DONE,
        attempts=1,
        started=100.0,
        updated=107.0,
        ended=107.0,
        reports=2,
        metrics={"loss": 0.4, "acc": 1},
        checkpoint=Ref("a/c1"),
    )
    assert row.trials[B] == TrialRow(
        id=B,
        number=1,
        config={"lr": 0.3},
        resources=TWO,
        label=Label("", "", ""),
        created=100.0,
        status=Status.FAILED,
        attempts=3,
        failures=2,
        started=100.0,
        updated=109.0,
        ended=109.0,
        reports=1,
        metrics={"loss": 0.9},
        checkpoint=Ref("a/c0"),
        error="ValueError: again",
        reason="3 failures",
    )


def test_the_status_goes_with_the_log():
    row, seen = ExperimentRow(), []
    assert not row.finished
    for record in log():
        row.add(record)
        seen.append([trial.status_word for trial in row.trials.values()])
    assert [a for a, _ in seen] == ["RUNNING"] * 7 + ["TERMINATED"] * 3
    assert [b for _, b in seen] == ["RUNNING"] * 3 + ["PENDING"] + ["RUNNING"] * 2 + ["PENDING"] * 2 + [
        "RUNNING",
        "ERROR",
    ]
    assert row.counts() == {"TERMINATED": 1, "ERROR": 1}
    assert row.finished
    assert row.exhausted
    assert (row.events, row.started, row.updated) == (sum(map(len, STORY)), 100.0, 109.0)


def test_pausing_stopping_and_reopening():
    more: list[list[ev.Event]] = [
        *STORY,
        [ev.StopRequested("time is up")],
        [ev.Reopened(5, (B,)), ev.Requeued(B, {"lr": 0.3}, None, ONE), ev.Launched(B, 4, W, {"lr": 0.3}, ONE)],
        [ev.Halted(B, 4, Then.PAUSE, "synch")],
        [ev.Exited(B, 4, Outcome.HALTED), ev.Paused(B)],
    ]
    row = fold(log(more[:-3]))
    assert row.stopped == "time is up"
    row = fold(log(more))
    assert (row.stopped, row.exhausted, row.finished) == ("", False, False)
    b = row.trials[B]
    assert (b.status_word, b.ended, b.checkpoint, b.attempts, b.reason) == ("PAUSED", None, None, 4, "synch")
    assert fold(log([])) == ExperimentRow()


def test_the_best_by_a_goal():
    row = fold(log())
    assert row.best(Goal("loss", "min")) is row.trials[A]
    assert row.best(Goal("loss", "max")) is row.trials[B]
    assert row.best(Goal("acc", "min")) is row.trials[A]
    assert row.best(Goal("unheard", "min")) is None


def test_reports_of_one_and_of_all():
    assert [(at, r.seq) for at, r in reports(log(), A)] == [(101.0, 0), (105.0, 1)]
    assert [r.trial for _, r in reports(log())] == [A, B, A]


def test_a_directory_read_as_a_whole(tmp_path):
    with pytest.raises(NotAnExperiment):
        ExperimentReader(tmp_path)
    card = ExperimentCard(name="x", trainable="f", num_samples=2, seed=0, prefix="", created=1.0, version="0.1.0")
    card.write(tmp_path)
    with JsonlStore(tmp_path) as store:
        for record in log():
            store.append(record.events, after=record.first)
        reader = ExperimentReader(tmp_path)  # while somebody writes
        assert reader.card == card
        row = reader.row()
        assert row.counts() == {"TERMINATED": 1, "ERROR": 1}
        assert row.trials[A].path == str(tmp_path / "train_a_0_lr=0.1")
        assert row.trials[B].path == ""
        assert [m["loss"] for m in reader.history(A)] == [0.5, 0.4]
        assert reader.histories() == {A: [{"loss": 0.5}, {"loss": 0.4, "acc": 1}], B: [{"loss": 0.9}]}


# -- rows of results -------------------------------------------------------------------------------------------------

FACTS = TrialFacts(A, {"lr": 0.1}, "0_lr=0.1", hostname="here", pid=7, node_ip="127.0.0.1")


def test_a_report_becomes_a_row_of_results():
    metrics = {"loss": 0.5, "training_iteration": 3, "timestamp": 1_700_000_000, "done": False}
    row = result_row(ev.Reported(A, 1, 2, metrics), FACTS)
    assert row == metrics | {
        "date": time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(1_700_000_000)),
        "trial_id": A,
        "experiment_tag": "0_lr=0.1",
        "config": {"lr": 0.1},
        "hostname": "here",
        "pid": 7,
        "node_ip": "127.0.0.1",
        "checkpoint_dir_name": None,
    }
    assert "trial_id" not in metrics


@pytest.mark.parametrize(
    "ref", ["checkpoint_000004", "t/checkpoint_000004", "C:\\t\\checkpoint_000004", "s3://t/checkpoint_000004/"]
)
def test_a_checkpoint_that_came_along_is_named(ref):
    row = result_row(ev.Reported(A, 1, 2, {}, Ref(ref)), FACTS)
    assert row["checkpoint_dir_name"] == "checkpoint_000004"
    assert row["should_checkpoint"] is True


def test_what_the_trainable_says_itself_stays():
    row = result_row(ev.Reported(A, 1, 2, {"pid": 1, "hostname": "there", "node_ip": "::1", "date": "today"}), FACTS)
    assert (row["pid"], row["hostname"], row["node_ip"], row["date"]) == (1, "there", "::1", "today")


@pytest.mark.parametrize("timestamp", ["soon", None, float("nan"), float("inf"), -5, 10**20])
def test_an_odd_timestamp_gives_the_date_of_now(timestamp):
    row = result_row(ev.Reported(A, 1, 2, {"timestamp": timestamp}), TrialFacts(A, {}))
    assert row["date"][:2] == "20"
    assert row["timestamp"] is timestamp
    assert "pid" not in row
    assert result_row(ev.Reported(A, 1, 2, {}), FACTS, at=0.0)["date"] == date(0.5)


def test_a_row_tells_who_was_ended_with_all_its_time():
    proposed, launched = ev.Proposed(A, 0, {}, ONE), ev.Launched(A, 1, W, {}, ONE)
    reached = ev.Halted(A, 1, Then.STOP, "reached max_t", why={"time": 9, "max_t": 9})
    over: list[ev.Event] = [ev.Exited(A, 1, Outcome.HALTED), ev.Ended(A, Status.STOPPED, "reached max_t")]
    story: list[list[ev.Event]] = [[ev.WorkerJoined(W, {"cpu": 3.0}), proposed, launched], [reached], over]
    row = fold(log(story)).trials[A]
    assert (row.status, row.in_full) == (Status.STOPPED, True)
    again = fold(log([*story, [ev.Requeued(A, {}, None, ONE), ev.Launched(A, 2, W, {}, ONE)]])).trials[A]
    assert not again.in_full
