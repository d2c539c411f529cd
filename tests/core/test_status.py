"""The table of what may happen to a trial."""

from __future__ import annotations

import typing

import pytest

from luthier.core import events as ev
from luthier.core.status import TRANSITIONS
from luthier.core.terms import FINAL, HELD, Status

# What may happen in which status: written down a second time, on purpose.
MAY = {
    "pending": "Launched Requeued Ended",
    "running": "Reported Halted Exited",
    "halting": "Reported Halted Exited",
    "exited": "Requeued Paused Ended",
    "paused": "Requeued Ended",
    "done": "Requeued",
    "stopped": "Requeued",
    "failed": "Requeued",
}
LEADS = {"Launched": "running", "Halted": "halting", "Exited": "exited", "Requeued": "pending", "Paused": "paused"}


@pytest.mark.parametrize("status", Status)
def test_what_may_happen(status):
    found = {kind.__name__ for at, kind in TRANSITIONS if at is status}
    assert found == set(MAY[status.value].split())


def test_where_it_leads():
    for (status, kind), to in TRANSITIONS.items():
        name = kind.__name__
        if name == "Reported":
            assert to is status  # a report changes no status
        elif name == "Ended":
            assert to in FINAL
        else:
            assert to.value == LEADS[name]


def test_every_status_can_be_reached_and_left():
    reached = {to for (_, kind), to in TRANSITIONS.items() if kind is not ev.Ended} | FINAL
    assert reached == set(Status) == {status for status, _ in TRANSITIONS}


def test_final_and_held():
    assert {s for s in Status if s.final} == FINAL == {Status.DONE, Status.STOPPED, Status.FAILED}
    assert HELD == (Status.RUNNING, Status.HALTING)


def test_all_events_are_observed_or_decided():
    observed, decided = (set(typing.get_args(union)) for union in (ev.Observed, ev.Decided))
    assert not observed & decided
    assert set(typing.get_args(ev.News)) | set(typing.get_args(ev.Order)) <= observed | decided
    assert {kind for _, kind in TRANSITIONS} <= observed | decided
