from __future__ import annotations

import math
from typing import Any

import pytest

from luthier.core import events as ev
from luthier.core.goal import Goal
from luthier.core.terms import Label, Outcome, Ref, Status, Then, TrialId, WorkerId
from luthier.plots.chronicle import Chronicle, chronicle
from luthier.store.base import Record

A, B, W = TrialId("a"), TrialId("b"), WorkerId("w")


def log(*batches: tuple[float, list[Any]]) -> list[Record]:
    records, count = [], 0
    for at, events in batches:
        records.append(Record(count, at, tuple(events)))
        count += len(events)
    return records


def born(trial: TrialId, number: int, config: dict[str, Any], at: float) -> tuple[float, list[Any]]:
    label = Label(f"train_{trial}", f"train_{trial}", "")
    return at, [ev.Proposed(trial, number, config, {}, label), ev.Launched(trial, 1, W, config, {})]


def report(trial: TrialId, step: float | None, **metrics: Any) -> ev.Reported:
    return ev.Reported(trial, 1, 0, metrics if step is None else {**metrics, "training_iteration": step})


def test_what_trials_are_and_reported_last():
    records = log(
        (1.0, [ev.WorkerJoined(W, {"cpu": 2})]),
        born(A, 0, {"net": {"layers": 2}, "lr": 0.1}, 2.0),
        born(B, 1, {"lr": 0.2}, 3.0),
        (4.0, [report(A, 1, loss=2.0, eval={"acc": 0.5})]),
        (5.0, [report(A, 2, loss=1.0, eval={"acc": 0.6}), ev.Exited(A, 1, Outcome.FINISHED), ev.Ended(A, Status.DONE)]),
        (7.0, [ev.Exited(B, 1, Outcome.ERROR, "boom"), ev.Ended(B, Status.FAILED, "boom")]),
    )
    found = chronicle(records, [Goal("loss", "min"), Goal("eval/acc", "max")], name="here")
    first, second = found.trials
    assert (first.name, first.status, first.config) == ("train_a", "done", {"net/layers": 2, "lr": 0.1})
    assert (first.reports, first.started, first.ended) == (2, 2.0, 5.0)
    assert first.metrics == {"loss": 1.0, "eval/acc": 0.6, "training_iteration": 2}
    assert (second.status, second.reports) == ("failed", 0)
    assert (found.name, found.started, found.updated, found.reports) == ("here", 1.0, 7.0, 2)
    curve = found.curves["eval/acc"][0]
    assert list(zip(curve.steps, curve.values, strict=True)) == [(1.0, 0.5), (2.0, 0.6)]
    assert found.values("loss")[0] == 1.0 and math.isnan(found.values("loss")[1])
    assert found.metrics() == ["loss", "eval/acc"]
    assert found.lineage is None and not found.judgements


def test_values_that_are_no_numbers_and_steps_that_are_none():
    records = log(
        born(A, 0, {}, 0.0),
        (1.0, [report(A, None, loss="bad"), report(A, math.nan, loss=math.nan), report(A, None, loss=True)]),
        (2.0, [report(A, None, loss=math.inf), report(A, 2.5, loss=3)]),
    )
    curve = chronicle(records, metrics=["loss"]).curves["loss"][0]
    assert list(curve.steps) == [2.0, 3.0, 4.0, 2.5]  # the how-manieth report, where a step is not told
    assert repr(list(curve.values)) == "[nan, 1.0, inf, 3.0]"


@pytest.mark.parametrize(
    ("outcome", "then", "told"),
    [
        (Outcome.FINISHED, None, "done"),
        (Outcome.ERROR, None, "failed"),
        (Outcome.LOST, None, "lost"),
        (Outcome.LEFT, None, "left"),
        (Outcome.HALTED, Then.STOP, "stopped"),
        (Outcome.HALTED, Then.PAUSE, "paused"),
        (Outcome.HALTED, Then.REQUEUE, "restarted"),
    ],
)
def test_how_attempts_end(outcome, then, told):
    halt = [] if then is None else [ev.Halted(A, 1, then, "")]
    records = log(born(A, 0, {}, 1.0), (2.0, [*halt, ev.Exited(A, 1, outcome)]))
    span = chronicle(records).spans[0]
    assert (span.trial, span.attempt, span.worker, span.start, span.end, span.outcome) == (0, 1, "w", 1.0, 2.0, told)


def test_an_attempt_that_still_runs_has_no_end():
    span = chronicle(log(born(A, 0, {}, 1.0))).spans[0]
    assert (span.end, span.outcome) == (None, "running")


def test_judgements_are_those_at_rungs():
    records = log(
        born(A, 0, {}, 0.0),
        (1.0, [report(A, 3, loss=1.0), ev.Halted(A, 1, Then.PAUSE, "", why={"rung": 3, "bracket": 1, "value": 1.0})]),
        (2.0, [ev.Exited(A, 1, Outcome.HALTED), ev.Paused(A)]),
        (3.0, [ev.Requeued(A, {}, None, {}, "promoted", {"rung": 3, "rank": 1})]),
        (4.0, [ev.Ended(A, Status.STOPPED, "", {"rung": 9})]),
        (5.0, [ev.Halted(A, 1, Then.STOP, "a stopper", why={"time": 4})]),
    )
    found = [(j.trial, j.what, j.step, j.why["rung"]) for j in chronicle(records).judgements]
    assert found == [(0, "waits", 3.0, 3), (0, "went on", 3.0, 3), (0, "stopped", 3.0, 9)]


def test_the_lineage_is_read_where_somebody_followed_another():
    handed = log(
        born(A, 0, {"lr": 1}, 0.0),
        born(B, 1, {"lr": 2}, 0.0),
        (1.0, [ev.Reported(B, 1, 0, {"training_iteration": 5}, Ref("b/checkpoint_000000"))]),
        (2.0, [ev.Halted(A, 1, Then.REQUEUE, "", {"lr": 3}, Ref("b/checkpoint_000000"), why={"source": "b"})]),
        (3.0, [ev.Exited(A, 1, Outcome.HALTED), ev.Requeued(A, {"lr": 3}, Ref("b/checkpoint_000000"), {})]),
    )
    lineage = chronicle(iter(handed)).lineage
    assert lineage is not None and [(h.source, h.target) for h in lineage.handovers] == [("b", "a")]
    again = chronicle(iter(handed), again=lambda: handed).lineage
    assert again is not None and len(again.handovers) == 1


def test_nothing_at_all():
    found = chronicle([])
    assert found == Chronicle() and found.values("loss") == []
