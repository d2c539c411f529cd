from __future__ import annotations

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Outcome, TrialId, WorkerId
from luthier.tune.pace import PaceWatch

TRIAL = TrialId("t")


@pytest.fixture
def watched():
    state, watch = ExperimentState(), PaceWatch("clock/epoch")
    seq = -1

    def tell(*events):
        for event in events:
            evolve(state, event)
        watch.on_events(events, state)

    def report(epoch, attempt=1):
        nonlocal seq
        seq += 1
        clock = {} if epoch is None else {"clock": {"epoch": epoch}}
        tell(ev.Reported(TRIAL, attempt, seq if attempt == 1 else 0, {"loss": 1.0, **clock}))

    tell(ev.WorkerJoined(WorkerId("w"), {"cpu": 1.0}), ev.Proposed(TRIAL, 0, {}, {"cpu": 1.0}))
    tell(ev.Launched(TRIAL, 1, WorkerId("w"), {}, {"cpu": 1.0}))
    return tell, report


def test_what_grows_is_silent(watched, caplog):
    for epoch in (1, 1, 2, 2.5, None, 9):
        watched[1](epoch)
    assert not caplog.records


def test_what_is_missing_is_said_once(watched, caplog):
    for _ in range(3):
        watched[1](None)
    (record,) = caplog.records
    assert "time_attr='clock/epoch'" in record.getMessage() and "Reported were: loss;" in record.getMessage()


def test_what_falls_is_said_once(watched, caplog):
    for epoch in (3, 2, 1):
        watched[1](epoch)
    (record,) = caplog.records
    assert "fell from 3 to 2 in trial t" in record.getMessage()


def test_a_new_attempt_may_begin_earlier(watched, caplog):
    tell, report = watched
    report(5)
    tell(ev.Exited(TRIAL, 1, Outcome.LOST), ev.Requeued(TRIAL, {}, None, {"cpu": 1.0}))
    tell(ev.Launched(TRIAL, 2, WorkerId("w"), {}, {"cpu": 1.0}))
    report(1, attempt=2)
    assert not caplog.records


def test_a_mistyped_time_attr_is_explained_at_the_first_result(tmp_path, caplog):
    def train(config):
        for epoch in range(2):
            tune.report({"loss": 1.0, "epoch": epoch})

    tune.Tuner(
        train,
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", scheduler=tune.schedulers.ASHAScheduler(time_attr="epochs"), num_samples=2
        ),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0, executor="inline"),
    ).fit()
    said = [record.getMessage() for record in caplog.records if "time_attr" in record.getMessage()]
    assert len(said) == 1 and "Is 'epoch' meant?" in said[0]
