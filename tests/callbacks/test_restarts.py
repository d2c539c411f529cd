"""Who pauses trials often on a cluster is told once what makes that quicker."""

from __future__ import annotations

import logging

import pytest

from luthier.callbacks.restarts import RestartWatch
from luthier.core import events as ev
from luthier.core.state import ExperimentState
from luthier.core.terms import Outcome, Ref, TrialId

T, SAVED = TrialId("t"), Ref("t/checkpoint_000000")


def heard(pairs, caplog):
    watch = RestartWatch()
    with caplog.at_level(logging.WARNING, "luthier"):
        for events in pairs:
            watch.on_events(events, ExperimentState())
    return [record.message for record in caplog.records]


def let_go(outcome=Outcome.HALTED):
    return ev.Exited(T, 1, outcome)


def test_it_is_said_once(caplog):
    said = heard([[let_go(), ev.Paused(T)]] * 9, caplog)
    assert said == []
    said = heard([[let_go(), ev.Requeued(T, {}, SAVED, {})], [let_go(), ev.Paused(T)]] * 10, caplog)
    assert len(said) == 1 and said[0].startswith("10 times") and "reuse_actors=True" in said[0]


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.LOST])
def test_failures_and_losses_do_not_count(outcome, caplog):
    assert heard([[let_go(outcome), ev.Requeued(T, {}, None, {})]] * 20, caplog) == []
    assert heard([[ev.Requeued(T, {}, None, {})]] * 20, caplog) == []
