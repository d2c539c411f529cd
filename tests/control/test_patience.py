from __future__ import annotations

import math

from luthier.control.patience import Overdue, Patience
from luthier.core import events as ev
from luthier.core.terms import Outcome, Then, TrialId, WorkerId

A, B = TrialId("a"), TrialId("b")


def launched(trial=A, attempt=1):
    return ev.Launched(trial, attempt, WorkerId("w"), {}, {})


def reported(trial=A, attempt=1, seq=0):
    return ev.Reported(trial, attempt, seq, {})


def test_without_limits_nobody_is_watched():
    patience = Patience()
    patience.heed([launched()], 0.0)
    assert patience.endless
    assert (patience.wait(1e9), patience.due(1e9)) == (math.inf, [])


def test_silence_before_the_first_report_and_after_it():
    patience = Patience(report_s=10)
    patience.heed([launched(A), launched(B)], 0.0)
    patience.heed([reported(A)], 9.0)
    assert patience.wait(9.0) == 1.0
    assert patience.due(10.0) == [Overdue(B, 1, "no first report for 10 s (report_timeout_s)")]
    assert patience.wait(10.0) == 9.0
    assert patience.due(18.9) == []
    assert patience.due(19.0) == [Overdue(A, 1, "no report for 10 s (report_timeout_s)")]
    assert (patience.due(99.0), patience.wait(99.0)) == ([], math.inf)


def test_an_attempt_may_be_too_long_however_much_it_says():
    patience = Patience(trial_s=25, report_s=10)
    patience.heed([launched()], 0.0)
    for now in range(1, 25):
        patience.heed([reported(seq=now)], float(now))
        assert patience.due(float(now)) == []
    assert patience.due(25.0) == [Overdue(A, 1, "not over after 25 s (trial_timeout_s)")]


def test_whoever_is_gone_or_told_to_go_is_not_watched():
    patience = Patience(trial_s=5)
    patience.heed([launched(A), launched(B)], 0.0)
    patience.heed([ev.Exited(A, 1, Outcome.FINISHED), ev.Halted(B, 1, Then.PAUSE, "")], 1.0)
    assert patience.due(99.0) == []


def test_a_further_attempt_has_all_its_time():
    patience = Patience(trial_s=5)
    patience.heed([launched()], 0.0)
    patience.heed([ev.Exited(A, 1, Outcome.ERROR), launched(A, 2)], 4.0)
    assert patience.due(8.9) == []
    assert patience.due(9.0) == [Overdue(A, 2, "not over after 5 s (trial_timeout_s)")]


def test_the_queue_does_not_grow_with_what_is_over():
    patience = Patience(trial_s=3600)
    for i in range(1000):
        trial = TrialId(str(i))
        patience.heed([launched(trial), ev.Exited(trial, 1, Outcome.FINISHED)], float(i))
    assert len(patience._queue) < 100
    patience.heed([launched()], 1000.0)
    assert patience.due(4600.0)[0].trial == A
