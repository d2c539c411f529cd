"""How long drivers worked, and whom an end cut short: by hand."""

from __future__ import annotations

from luthier.core import events as ev
from luthier.core.terms import Status, TrialId
from luthier.store.base import Record
from luthier.store.sessions import Sessions

A, B, C = (TrialId(name) for name in "abc")


def told(*batches: tuple[float, tuple[ev.Event, ...]]) -> Sessions:
    sessions, first = Sessions(), 0
    for at, events in batches:
        record = Record(first, at, events)
        sessions.add(record)
        sessions.add(record)  # whoever reads the log again does no harm
        first = record.end
    return sessions


def test_the_time_between_sessions_does_not_count():
    stalled, again = (ev.Stalled(),), (ev.Reopened(), ev.Stalled())
    assert (told().used, told().count) == (0.0, 0)
    sessions = told((5, stalled), (7, stalled), (1000, again), (1001, stalled), (2000, again), (2000.5, stalled))
    assert (sessions.used, sessions.count) == (3.5, 3)
    # A clock that was set back takes nothing away.
    assert told((5, stalled), (7, stalled), (3, stalled), (4, stalled)).used == 3.0


def test_those_who_were_cut_short():
    stop = (
        ev.StopRequested("time is up"),
        ev.Ended(A, Status.STOPPED, "time is up"),
        ev.Ended(B, Status.STOPPED, "bad"),
    )
    late = (ev.Ended(C, Status.STOPPED, "the experiment is stopping"),)
    before = (ev.Ended(C, Status.STOPPED, "time is up"),)
    assert not told((0, before)).cut_short
    assert list(told((0, stop), (1, late)).cut_short) == [A, C]
    assert list(told((0, stop), (1, (ev.Reopened(stopping=True),)), (2, late)).cut_short) == [A, C]
    assert not told((0, stop), (1, (ev.Reopened(),)), (2, late)).cut_short
