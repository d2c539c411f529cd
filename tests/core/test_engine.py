"""The engine's rules, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import IllegalEvent, PolicyError
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.policy import Exploit, Finish, Nothing, Pause, Resize, Resume, Stop
from luthier.core.terms import Label, Outcome, Ref, Status, Then, TrialId, Verdict, WorkerId
from luthier.schedulers.fifo import Fifo
from luthier.search.fixed import Fixed

T0, T1, T2 = (TrialId(f"t_0000{i}") for i in range(3))
W = WorkerId("w0")
ONE, TWO = {"cpu": 1.0}, {"cpu": 2.0}


class Script(Fifo):
    """Answers the news of one type about one trial (any where None) with what it was given."""

    def __init__(self, *lines: tuple[type[ev.Event], TrialId | None, Any]) -> None:
        self.lines = list(lines)

    def decide(self, news, experiment, rng):
        for line in self.lines:
            kind, trial, decisions = line
            if isinstance(news, kind) and trial in (None, getattr(news, "trial", None)):
                self.lines.remove(line)
                return decisions if isinstance(decisions, list) else [decisions]
        return ()


class Stubborn(Fifo):
    """Holds everything back."""

    def pick(self, waiting, experiment):
        return None


def engine(configs: Any = 2, scheduler: Any = None, request: Any = None, naming: Any = None, **limits: Any) -> Engine:
    searcher = Fixed([{"x": i} for i in range(configs)]) if isinstance(configs, int) else configs
    return Engine(Limits(**limits), searcher, scheduler or Fifo(), (Goal("loss", "min"),), request, naming)


def names(events: tuple[ev.Event, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


def join(e: Engine, resources: dict[str, float] = ONE, worker: str = W) -> tuple[ev.Event, ...]:
    return e.handle(ev.WorkerJoined(WorkerId(worker), resources))


def report(e: Engine, trial: TrialId = T0, checkpoint: str | None = None, **metrics: Any) -> tuple[ev.Event, ...]:
    t = e.experiment.trials[trial]
    ref = None if checkpoint is None else Ref(checkpoint)
    return e.handle(ev.Reported(trial, t.attempt, t.seq + 1, metrics, ref))


def leave(e: Engine, outcome: Outcome, trial: TrialId = T0, **more: Any) -> tuple[ev.Event, ...]:
    return e.handle(ev.Exited(trial, e.experiment.trials[trial].attempt, outcome, **more))


# -- births and launches -----------------------------------------------------------------------------------------------


def test_a_worker_gets_as_many_trials_as_fit():
    e = engine(5)
    assert names(join(e, TWO)) == ["WorkerJoined", "Proposed", "Launched", "Proposed", "Launched"]
    assert e.experiment.held == 2 and not e.finished


def test_names_and_requests_go_into_the_log():
    e = engine(
        1,
        request=lambda config: {"cpu": config["x"] + 1.0},
        naming=lambda trial, number, config: Label(f"n{number}", f"f_{trial}", f"x={config['x']}"),
        prefix="p",
    )
    born = next(x for x in join(e) if isinstance(x, ev.Proposed))
    assert (born.trial, born.resources, born.label) == ("p_00000", ONE, Label("n0", "f_p_00000", "x=0"))


def test_nothing_is_born_where_there_is_no_room():
    e = engine(5)
    join(e)
    assert names(join(e, {}, "w1")) == ["WorkerJoined"]


def test_ten_tenths_fit_one():
    e = engine(20, request={"gpu": 0.1})
    assert names(join(e, {"gpu": 1.0})).count("Launched") == 10


def test_a_request_of_nothing_always_fits():
    for request in ({}, {"cpu": 0.0}):
        e = engine(3, request=request)
        assert names(join(e, {})).count("Launched") == 3


def test_a_request_of_nothing_fits_a_full_worker_and_one_that_shrank():
    e = engine(3, request=lambda config: {"cpu": float(config["x"] == 0)})
    assert names(join(e)).count("Launched") == 3
    e = engine(3, request=lambda config: {"cpu": float(config["x"] == 0)}, max_concurrent=1)
    join(e)
    join(e, {"cpu": 0.5})
    assert e.experiment.workers[W].free == {"cpu": -0.5}
    assert names(leave(e, Outcome.FINISHED)) == ["Exited", "Ended", "Proposed", "Launched"]


def test_an_enqueued_config_goes_first_and_counts():
    e = engine(5, num_trials=2)
    e.handle(ev.Enqueued({"x": "mine"}))
    e.handle(ev.Enqueued({"x": "too"}))
    events = join(e, {"cpu": 9.0})
    assert [x.config["x"] for x in events if isinstance(x, ev.Proposed)] == ["mine", "too"]
    e.handle(ev.Enqueued({"x": "beyond"}))  # somebody asked for it: it is tried whatever the number
    assert [t.config["x"] for t in e.experiment.trials.values()] == ["mine", "too", "beyond"]


def test_max_concurrent():
    e = engine(5, max_concurrent=2)
    assert names(join(e, {"cpu": 9.0})).count("Launched") == 2


def test_a_trial_that_fits_overtakes_one_that_does_not():
    e = engine(3, request=lambda config: TWO if config["x"] == 1 else ONE, max_losses=9)
    join(e, {"cpu": 2.0})
    join(e, {"cpu": 2.0}, "w1")
    join(e, {"cpu": 1.0}, "w2")
    assert {t: e.experiment.trials[t].worker for t in (T0, T1, T2)} == {T0: W, T1: "w1", T2: W}
    e.handle(ev.WorkerLost(WorkerId("w1")))  # the large one waits
    e.handle(ev.WorkerLost(W))
    assert e.experiment.trials[T1].status is Status.PENDING
    assert e.experiment.held == 1 and e.experiment.placeable() == ()
    join(e, {"cpu": 2.0})
    assert e.experiment.trials[T1].worker == W


def test_first_come_first_served_over_all_shapes():
    e = engine(4, request=lambda config: {"cpu": 1.0} if config["x"] % 2 else {"gpu": 1.0}, elastic=True, max_losses=9)
    big = {"cpu": 2.0, "gpu": 2.0}
    join(e, big)
    e.handle(ev.WorkerLost(W))
    assert [x.trial for x in join(e, big) if isinstance(x, ev.Launched)] == [f"t_0000{i}" for i in range(4)]


def test_a_trial_stopped_at_birth_leaves_its_place_to_the_next():
    e = engine(3, Script((ev.Proposed, T0, Stop(T0, "no"))))
    assert names(join(e)) == ["WorkerJoined", "Proposed", "Ended", "Proposed", "Launched"]


# -- ends --------------------------------------------------------------------------------------------------------------


def test_a_finished_trial_is_done_and_the_next_begins():
    e = engine(2)
    join(e)
    assert names(leave(e, Outcome.FINISHED)) == ["Exited", "Ended", "Proposed", "Launched"]
    assert names(leave(e, Outcome.FINISHED, T1)) == ["Exited", "Ended", "SpaceExhausted"]
    assert e.finished and e.experiment.having(Status.DONE) == {T0, T1}


@pytest.mark.parametrize(("survives", "failures"), [(0, 1), (2, 3)])
def test_a_trial_fails_when_it_failed_more_often_than_allowed(survives, failures):
    e = engine(1, max_failures=survives)
    join(e)
    report(e, checkpoint="c0", loss=1.0)
    for n in range(failures - 1):
        events = leave(e, Outcome.ERROR, error="boom")
        assert names(events) == ["Exited", "Requeued", "Launched"]
        assert events[-1] == ev.Launched(T0, n + 2, W, {"x": 0}, ONE, Ref("c0"))
    assert leave(e, Outcome.ERROR, error="boom")[1] == ev.Ended(T0, Status.FAILED, "boom")


def test_minus_one_is_any_number_of_failures():
    e = engine(1, max_failures=-1)
    join(e)
    for _ in range(20):
        assert names(leave(e, Outcome.ERROR)) == ["Exited", "Requeued", "Launched"]


def test_a_lost_worker_is_not_the_trials_fault_until_it_keeps_happening():
    e = engine(1, max_losses=1)
    join(e)
    for _ in range(3):  # a report in between
        assert names(leave(e, Outcome.LOST)) == ["Exited", "Requeued", "Launched"]
        report(e, loss=1.0)
    leave(e, Outcome.LOST)
    assert e.experiment.trials[T0].failures == 0
    ended: Any = leave(e, Outcome.HALTED)[1]  # nobody told it to
    assert ended.status is Status.FAILED and "lost 2 times" in ended.reason


def test_a_worker_that_leaves_on_purpose_is_nobodys_loss():
    e = engine(1, max_losses=0)
    join(e)
    for _ in range(5):
        assert names(e.handle(ev.WorkerLost(W, True))) == ["WorkerLost", "Exited", "Requeued"]
        join(e)
    assert (e.experiment.trials[T0].losses, e.experiment.trials[T0].attempt) == (0, 6)


def test_a_lost_worker_takes_its_trials_with_it():
    e = engine(3)
    join(e, TWO)
    assert names(e.handle(ev.WorkerLost(W))) == ["WorkerLost", "Exited", "Requeued", "Exited", "Requeued"]
    assert e.handle(ev.WorkerLost(W)) == () and not e.experiment.idle
    assert names(join(e, TWO)) == ["WorkerJoined", "Launched", "Launched"]


def test_fail_fast():
    e = engine(3, fail_fast=True)
    join(e, TWO)
    events = leave(e, Outcome.ERROR, error="boom")
    assert names(events) == ["Exited", "Ended", "StopRequested", "Halted"]
    assert names(leave(e, Outcome.HALTED, T1)) == ["Exited", "Ended"] and e.finished


def test_fail_fast_heeds_a_trial_that_can_never_run():
    e = engine(3, request=TWO, fail_fast=True)
    assert names(join(e)) == ["WorkerJoined", "Proposed", "Ended", "StopRequested"] and e.finished


def test_what_no_worker_could_hold_is_refused_in_words():
    e = engine(1, request={"gpu": 2.0})
    ended: Any = join(e, {"cpu": 4.0, "gpu": 1.0})[2]
    assert ended == ev.Ended(T0, Status.FAILED, "asks for 2 gpu; there is only 4 cpu, 1 gpu")


def test_refusing_one_may_stop_the_others():
    asks = lambda config: {"gpu": 1.0}
    e = engine(2, Script((ev.Ended, T0, Stop(T1, "too"))), asks, elastic=True, max_losses=9)
    join(e, {"gpu": 2.0})
    e.handle(ev.WorkerLost(W))
    again = Engine(Limits(max_losses=9), e.searcher, e.scheduler, (), asks)
    again.experiment = e.experiment
    assert [x.status for x in join(again) if isinstance(x, ev.Ended)] == [Status.FAILED, Status.STOPPED]


def test_an_elastic_experiment_waits_for_another_worker():
    e = engine(1, request=TWO, elastic=True)
    assert names(join(e)) == ["WorkerJoined", "Proposed"]
    assert names(join(e, TWO, "w1")) == ["WorkerJoined", "Launched"]


# -- stopping and opening again ----------------------------------------------------------------------------------------


def test_a_request_to_stop_reaches_everybody():
    e = engine(4, Script((ev.Reported, T0, Pause(T0))), elastic=True)
    join(e, {"cpu": 3.0})
    report(e, loss=1.0)
    leave(e, Outcome.HALTED)
    e.handle(ev.WorkerLost(W))
    join(e)  # one paused, one runs, two wait
    assert [e.experiment.trials[t].status for t in (T0, T1, T2)] == [Status.PAUSED, Status.RUNNING, Status.PENDING]
    events = e.handle(ev.StopRequested("enough"))
    assert sorted(names(events)) == ["Ended", "Ended", "Ended", "Halted", "StopRequested"]
    assert e.handle(ev.StopRequested("again")) == () and not e.finished
    assert leave(e, Outcome.ERROR, T1)[1] == ev.Ended(T1, Status.STOPPED, "enough")
    assert e.finished
    assert names(join(e, TWO, "w1")) == ["WorkerJoined"]


def test_a_stopping_experiment_hears_stops_alone():
    lines = ((ev.Reported, T0, Pause(T0)), (ev.Ended, T1, Resume(T0)))
    e = engine(2, Script(*lines), lambda config: {"gpu": 1.0} if config["x"] else ONE, elastic=True)
    join(e)
    report(e, loss=1.0)
    leave(e, Outcome.HALTED)
    assert [e.experiment.trials[t].status for t in (T0, T1)] == [Status.PAUSED, Status.PENDING]
    assert names(e.handle(ev.StopRequested("enough"))) == ["StopRequested", "Ended", "Ended"] and e.finished


def test_finish():
    e = engine(3, Script((ev.Reported, None, [Finish("good enough"), Finish("said before")])))
    join(e, TWO)
    assert names(report(e, loss=0.0)) == ["Reported", "StopRequested", "Halted", "Halted"]


def test_a_trial_on_its_way_out_ends_with_the_experiment():
    e = engine(1, Script((ev.Reported, None, Pause(T0)), (ev.Exited, None, Finish("now"))))
    join(e)
    report(e, loss=0.0)
    assert names(leave(e, Outcome.HALTED)) == ["Exited", "StopRequested", "Ended"]
    e = engine(1, Script((ev.Exited, None, Finish("now"))), max_failures=3)
    join(e)
    ended: Any = leave(e, Outcome.ERROR)[-1]
    assert ended == ev.Ended(T0, Status.STOPPED, "the experiment is stopping") and e.finished


def test_an_experiment_is_opened_again():
    e = engine(4, num_trials=1)
    join(e)
    report(e, checkpoint="c0", loss=1.0)
    leave(e, Outcome.ERROR)
    assert e.finished
    events = e.handle(ev.Reopened(2, (T0, TrialId("nobody"))))
    assert names(events) == ["Reopened", "Requeued", "Launched"]
    assert events[-1] == ev.Launched(T0, 2, W, {"x": 0}, ONE, Ref("c0"))
    assert e.experiment.trials[T0].failures == 0
    assert names(leave(e, Outcome.FINISHED)) == ["Exited", "Ended", "Proposed", "Launched"]
    assert names(e.handle(ev.Reopened(None, (T0, T1), True))) == ["Reopened", "Requeued"]  # T1 runs already
    assert e.experiment.trials[T0].checkpoint is None and e.experiment.num_trials == 2


def test_another_driver_takes_over():
    e = engine(3, num_trials=3, max_concurrent=2, max_losses=0)
    join(e, TWO)
    report(e, checkpoint="c0", loss=1.0)
    report(e, T1, checkpoint="c1", loss=1.0)
    events = e.handle(ev.Reopened(-1, lost=(W,), ended=(T1, T2)))
    assert names(events) == ["Reopened", "Exited", "Requeued", "Exited", "Requeued", "Ended"]
    assert [x.outcome for x in events if isinstance(x, ev.Exited)] == [Outcome.LEFT] * 2  # nobody's fault
    assert events[-1] == ev.Ended(T1, Status.STOPPED, "not to go on")
    assert not e.experiment.workers and not e.experiment.idle and e.experiment.num_trials is None
    assert e.handle(ev.Reopened(3, rerun=(T0, T0), from_scratch=True)) == (
        ev.Reopened(3, (T0, T0), from_scratch=True),
        ev.Requeued(T0, {"x": 0}, None, ONE),
    )
    assert join(e)[-1] == ev.Launched(T0, 2, W, {"x": 0}, ONE)


def test_an_end_that_was_asked_for_still_comes_under_another_driver():
    e = engine(1)
    join(e)
    e.handle(ev.StopRequested("time is up"))
    assert e.experiment.trials[T0].status is Status.HALTING
    assert names(e.handle(ev.Reopened(rerun=(T0,), lost=(W,), stopping=True))) == ["Reopened", "Exited", "Ended"]
    assert e.finished


# -- decisions ---------------------------------------------------------------------------------------------------------


def running(decision: Any) -> tuple[Engine, tuple[ev.Event, ...]]:
    e = engine(1, Script((ev.Reported, None, decision)), max_failures=1)
    join(e, TWO)
    return e, report(e, checkpoint="c0", loss=1.0)


def test_stop():
    e, events = running(Stop(T0, "bad"))
    assert events[-1] == ev.Halted(T0, 1, Then.STOP, "bad") and e.verdict(T0, 1) is Verdict.HALT
    assert report(e, loss=1.0)[0].seq == 1
    assert leave(e, Outcome.HALTED)[1] == ev.Ended(T0, Status.STOPPED, "bad")
    assert e.verdict(T0, 1) is Verdict.HALT


def test_pause_and_resume():
    e, events = running(Pause(T0, "later"))
    assert events[-1] == ev.Halted(T0, 1, Then.PAUSE, "later") and e.verdict(T0, 1) is Verdict.SAVE_AND_HALT
    e.scheduler = Script((ev.Stalled, None, Resume(T0)))
    events = leave(e, Outcome.HALTED, checkpoint=Ref("c1"))
    assert names(events) == ["Exited", "Paused", "Stalled", "Requeued", "Launched"]
    assert events[-1] == ev.Launched(T0, 2, W, {"x": 0}, ONE, Ref("c1"))


def test_a_pause_can_be_taken_back_before_it_is_done():
    e, _ = running([Pause(T0), Resume(T0)])
    assert e.experiment.trials[T0].order.then is Then.REQUEUE
    assert e.verdict(T0, 1) is Verdict.SAVE_AND_HALT
    assert names(leave(e, Outcome.HALTED)) == ["Exited", "Requeued", "Launched"]


@pytest.mark.parametrize("first", [[], [Pause(T0)]])
def test_exploit(first):
    e, events = running([*first, Exploit(T0, {"x": 9}, Ref("theirs"), "better")])
    assert events[-1] == ev.Halted(T0, 1, Then.REQUEUE, "better", {"x": 9}, Ref("theirs"))
    assert e.verdict(T0, 1) is Verdict.HALT
    assert leave(e, Outcome.HALTED)[-1] == ev.Launched(T0, 2, W, {"x": 9}, ONE, Ref("theirs"))


def test_an_exploit_survives_a_failure_on_the_way_out():
    e, _ = running(Exploit(T0, {"x": 9}, None))
    assert leave(e, Outcome.ERROR)[-1] == ev.Launched(T0, 2, W, {"x": 9}, ONE, None)


@pytest.mark.parametrize("decision", [Pause(T0), [Pause(T0), Resume(T0)], Exploit(T0, {"x": 9}, None), Resize(T0, ONE)])
def test_an_error_on_the_way_out_counts_where_the_trial_was_to_go_on(decision):
    e, _ = running(decision)
    e.limits = Limits(max_failures=0)
    assert leave(e, Outcome.ERROR, error="no room")[1] == ev.Ended(T0, Status.FAILED, "no room")


def test_a_pause_survives_a_failure_that_is_allowed():
    e, _ = running(Pause(T0))
    e.limits = Limits(max_failures=1)
    assert leave(e, Outcome.ERROR)[1] == ev.Paused(T0)
    assert (e.experiment.trials[T0].failures, e.experiment.trials[T0].checkpoint) == (1, "c0")


def test_a_stop_is_a_stop_whatever_is_raised_on_the_way_out():
    e, _ = running(Stop(T0, "bad"))
    e.limits = Limits(max_failures=0)
    events = leave(e, Outcome.ERROR, error="no room")
    assert events[0].error == "no room" and events[1] == ev.Ended(T0, Status.STOPPED, "bad")


EXITS = [
    (Pause(T0), Resume(T0, "on"), Outcome.HALTED, ["Exited", "Paused", "Requeued", "Launched"]),
    (Pause(T0), Exploit(T0, {"x": 9}, None), Outcome.HALTED, ["Exited", "Paused", "Requeued", "Launched"]),
    (Pause(T0), Stop(T0, "no good"), Outcome.HALTED, ["Exited", "Paused", "Ended"]),
    (None, Stop(T0, "no good"), Outcome.ERROR, ["Exited", "Requeued", "Ended"]),
    (None, Stop(T0, "no good"), Outcome.FINISHED, ["Exited", "Ended"]),
    (Pause(T0), Finish("enough"), Outcome.HALTED, ["Exited", "StopRequested", "Ended"]),
]


@pytest.mark.parametrize(("ordered", "decision", "outcome", "events"), EXITS)
def test_what_is_decided_at_an_exit_about_that_very_trial_is_not_lost(ordered, decision, outcome, events):
    e, _ = running(ordered or [])
    e.scheduler = Script((ev.Exited, T0, decision))
    assert names(leave(e, outcome)) == events


def test_resize():
    e, events = running(Resize(T0, TWO, "grow"))
    assert events[-1] == ev.Halted(T0, 1, Then.REQUEUE, "grow", resources=TWO)
    assert leave(e, Outcome.HALTED)[-1] == ev.Launched(T0, 2, W, {"x": 0}, TWO, Ref("c0"))
    assert e.experiment.workers[W].free == {"cpu": 0.0}


@pytest.mark.parametrize(
    ("decision", "launched"),
    [
        (Resume(T0), ev.Launched(T0, 2, W, {"x": 0}, ONE, Ref("c0"))),
        (Exploit(T0, {"x": 9}, None), ev.Launched(T0, 2, W, {"x": 9}, ONE, None)),
        (Resize(T0, TWO), ev.Launched(T0, 2, W, {"x": 0}, TWO, Ref("c0"))),
    ],
)
def test_what_is_paused_can_be_brought_back(decision, launched):
    e, _ = running(Pause(T0))
    e.scheduler = Script((ev.Stalled, None, decision))
    assert leave(e, Outcome.HALTED)[-1] == launched


def test_what_is_paused_can_be_stopped():
    e, _ = running(Pause(T0))
    e.scheduler = Script((ev.Stalled, None, Stop(T0, "no good")))
    assert leave(e, Outcome.HALTED)[-1] == ev.Ended(T0, Status.STOPPED, "no good")
    assert e.finished


def test_an_order_to_stop_is_given_once_and_is_final():
    _, events = running(
        [Stop(T0, "one"), Stop(T0, "two"), Resume(T0), Pause(T0), Exploit(T0, {}, None), Resize(T0, TWO)]
    )
    assert names(events) == ["Reported", "Halted"]
    _, events = running([Pause(T0), Stop(T0, "after all")])
    assert [x.then for x in events if isinstance(x, ev.Halted)] == [Then.PAUSE, Then.STOP]


def test_a_finish_is_a_finish_whatever_was_ordered():
    for decision in (Stop(T0), Pause(T0), Exploit(T0, {}, None)):
        e, _ = running(decision)
        assert leave(e, Outcome.FINISHED)[1] == ev.Ended(T0, Status.DONE)


def test_decisions_about_others():
    e = engine(2, Script((ev.Reported, T0, Stop(T1, "worse"))))
    join(e, TWO)
    assert report(e, loss=0.0)[-1] == ev.Halted(T1, 1, Then.STOP, "worse")


# -- stalls ------------------------------------------------------------------------------------------------------------


def test_what_is_held_back_for_nothing_goes():
    e = engine(2, Stubborn())
    assert names(join(e)) == ["WorkerJoined", "Proposed", "Stalled", "Launched"]


def test_what_is_held_back_is_not_refused_where_some_worker_could_hold_it():
    e = engine(2, Stubborn(), lambda config: ONE if config["x"] else {"gpu": 1.0})
    join(e, {"gpu": 1.0})
    join(e, ONE, "w1")
    assert names(leave(e, Outcome.FINISHED))[:4] == ["Exited", "Ended", "Stalled", "Launched"]


def test_the_paused_end_when_nobody_resumes_them():
    e = engine(2, Script((ev.Reported, T0, Pause(T0)), (ev.Reported, T1, Pause(T1))))
    join(e, TWO)
    report(e, T0, loss=1.0)
    report(e, T1, loss=1.0)
    assert names(leave(e, Outcome.HALTED)) == ["Exited", "Paused", "SpaceExhausted"]
    events = leave(e, Outcome.HALTED, T1)
    assert names(events) == ["Exited", "Paused", "Stalled", "Ended", "Stalled", "Ended"] and e.finished
    assert "nothing was left" in events[-1].reason


def test_the_end_of_one_paused_trial_may_bring_the_next_back():
    lines = ((ev.Reported, T0, Pause(T0)), (ev.Reported, T1, Pause(T1)), (ev.Ended, T0, Resume(T1)))
    e = engine(2, Script(*lines))
    join(e, TWO)
    for trial in (T0, T1):
        report(e, trial, loss=1.0)
    leave(e, Outcome.HALTED, T0)
    assert leave(e, Outcome.HALTED, T1)[-1] == ev.Launched(T1, 2, W, {"x": 1}, ONE)


def test_a_paused_trial_waits_while_another_waits_for_a_worker():
    lines = ((ev.Reported, T0, Pause(T0)),)
    e = engine(2, Script(*lines), lambda config: {"gpu": 1.0} if config["x"] else ONE, elastic=True)
    join(e)
    report(e, loss=1.0)
    assert names(leave(e, Outcome.HALTED)) == ["Exited", "Paused", "Stalled"]
    assert names(join(e)) == ["WorkerJoined", "Stalled"]
    assert e.experiment.trials[T0].status is Status.PAUSED and not e.finished


class Sleepy(Fixed):
    """Says NOT_YET from *number* on; a stall wakes it up where *wakes*."""

    def __init__(self, number: int, *, wakes: bool) -> None:
        super().__init__([{"x": i} for i in range(9)])
        self.number, self.wakes = number, wakes

    def ask(self, number, rng):
        return Nothing.NOT_YET if number >= self.number else super().ask(number, rng)

    def tell(self, news, experiment):
        if isinstance(news, ev.Stalled) and self.wakes:
            self.number += 1


def test_a_searcher_that_waits_for_nothing_is_woken_once_and_then_believed_empty():
    e = engine(Sleepy(1, wakes=True))
    join(e)
    assert names(leave(e, Outcome.FINISHED)) == ["Exited", "Ended", "Stalled", "Proposed", "Launched"]
    e = engine(Sleepy(1, wakes=False))
    join(e, TWO)
    assert not e.experiment.exhausted
    events = leave(e, Outcome.FINISHED)
    assert names(events) == ["Exited", "Ended", "Stalled", "SpaceExhausted"] and e.finished


def test_a_searcher_that_wakes_up_to_nothing_is_exhausted_once():
    searcher = Sleepy(1, wakes=True)
    searcher.configs = searcher.configs[:1]
    e = engine(searcher)
    join(e)
    assert names(leave(e, Outcome.FINISHED)) == ["Exited", "Ended", "Stalled", "SpaceExhausted"] and e.finished


def test_a_searcher_that_waits_is_asked_again_after_each_report():
    class WakesLate(Sleepy):
        def tell(self, news, experiment):
            if isinstance(news, ev.Reported) and news.metrics["loss"] < 1:
                self.number += 1

    e = engine(WakesLate(3, wakes=False), max_concurrent=2)
    join(e, {"cpu": 9.0})  # full
    assert names(report(e, loss=2.0)) == ["Reported"]
    leave(e, Outcome.FINISHED)
    assert names(leave(e, Outcome.FINISHED, T1)) == ["Exited", "Ended"]  # room, and nothing to try
    assert names(report(e, T2, loss=2.0)) == ["Reported"]
    assert names(report(e, T2, loss=0.0)) == ["Reported", "Proposed", "Launched"]


def test_what_is_held_back_is_offered_again_after_each_report():
    class LetsGoLate(Fifo):
        good = True

        def decide(self, news, experiment, rng):
            if isinstance(news, ev.Reported):
                self.good = news.metrics["loss"] < 1
            return ()

        def pick(self, waiting, experiment):
            return super().pick(waiting, experiment) if self.good else None

    e = engine(3, LetsGoLate(), max_concurrent=2, max_failures=1)
    join(e, {"cpu": 9.0})  # full
    report(e, loss=2.0)
    assert names(leave(e, Outcome.ERROR)) == ["Exited", "Requeued"]  # room, and it holds back
    assert names(report(e, T1, loss=2.0)) == ["Reported"]
    assert names(report(e, T1, loss=0.0)) == ["Reported", "Launched"]


def test_a_stall_may_end_it_all():
    e = engine(Sleepy(1, wakes=False), Script((ev.Stalled, None, Finish("so be it"))))
    join(e)
    assert names(leave(e, Outcome.FINISHED)) == ["Exited", "Ended", "Stalled", "StopRequested"] and e.finished


# -- checkpoints -------------------------------------------------------------------------------------------------------


def forgotten(e: Engine, *reports: tuple[str | None, float]) -> list[str]:
    gone = []
    for ref, loss in reports:
        gone += [x.checkpoint for x in report(e, checkpoint=ref, loss=loss) if isinstance(x, ev.Forgotten)]
    return [str(ref) for ref in gone]


def test_the_newest_are_kept():
    e = engine(1, keep=2)
    join(e)
    assert forgotten(e, ("a", 1.0), ("b", 2.0), (None, 0.0), ("c", 3.0), ("d", 3.0)) == ["a", "b"]


def test_the_best_and_the_latest_are_kept():
    e = engine(1, keep=2, keep_by="loss", keep_mode="min")
    join(e)
    assert forgotten(e, ("a", 2.0), ("b", 1.0), ("c", 3.0), ("d", float("nan")), ("e", 0.5)) == ["c", "a", "d"]
    events = leave(e, Outcome.FINISHED, checkpoint=Ref("f"))
    assert [x.checkpoint for x in events if isinstance(x, ev.Forgotten)] == ["b"]


def test_the_checkpoint_to_start_from_is_kept():
    e = engine(1, keep=1)
    join(e)
    report(e, checkpoint="a", loss=1.0)
    e._apply(Exploit(T0, {"x": 5}, Ref("a")))
    assert forgotten(e, ("b", 1.0)) == []
    assert leave(e, Outcome.HALTED)[-1].restore == "a"
    assert forgotten(e, (None, 1.0)) == []  # it would start from there again
    assert forgotten(e, ("c", 1.0)) == ["a", "b"]


def test_the_best_one_and_the_latest_one_are_kept():
    e = engine(1, keep=1, keep_by="loss", keep_mode="max")
    join(e)
    assert forgotten(e, ("a", 2.0), ("b", 1.0), ("c", 1.5), ("d", 2.0)) == ["b", "a", "c"]


def donor_and_heir(**limits: Any) -> tuple[Engine, TrialId]:
    """Return an engine in which trial 1 is told to go on from checkpoint "d0" of trial 0, and trial 1."""
    e = engine(2, keep=1, **limits)
    join(e, TWO)
    heir = TrialId("t_00001")
    report(e, checkpoint="d0", loss=1.0)
    report(e, heir, checkpoint="h0", loss=2.0)
    e._apply(Exploit(heir, {"x": 5}, Ref("d0")))
    assert forgotten(e, ("d1", 1.0), ("d2", 1.0)) == ["d1"]
    return e, heir


def test_what_another_trial_is_to_start_from_is_kept_until_that_has_its_own():
    e, heir = donor_and_heir(max_failures=2)
    assert leave(e, Outcome.HALTED, heir)[-1].restore == "d0"  # launched
    assert forgotten(e, ("d3", 1.0)) == ["d2"]
    assert leave(e, Outcome.ERROR, heir)[-1].restore == "d0"  # and once more
    leave(e, Outcome.FINISHED)
    events = report(e, heir, checkpoint="h1", loss=0.0)
    assert [(x.trial, x.checkpoint) for x in events if isinstance(x, ev.Forgotten)] == [(heir, "h0"), (T0, "d0")]


@pytest.mark.parametrize("how", ["told otherwise", "finished", "told to stop"])
def test_what_another_trial_will_not_start_from_after_all_goes(how):
    e, heir = donor_and_heir()
    if how == "told otherwise":
        e._apply(Exploit(heir, {"x": 6}, Ref("h0")))  # not while it lets go: the first order stands
        events = leave(e, Outcome.HALTED, heir)
        assert not [x for x in events if isinstance(x, ev.Forgotten)]
        e._apply(Exploit(heir, {"x": 6}, Ref("h0")))
        events = leave(e, Outcome.HALTED, heir)
    elif how == "finished":
        events = leave(e, Outcome.FINISHED, heir)
    else:
        events = e.handle(ev.StopRequested("enough"))
    assert [(x.trial, x.checkpoint) for x in events if isinstance(x, ev.Forgotten)] == [(T0, "d0")]


# -- the door ----------------------------------------------------------------------------------------------------------


def test_stale_is_silent():
    e = engine(1, max_failures=1)
    join(e)
    assert e.handle(ev.Reported(TrialId("nobody"), 1, 0, {})) == ()
    assert e.verdict(TrialId("nobody"), 1) is Verdict.HALT
    leave(e, Outcome.ERROR)
    for zombie in (ev.Reported(T0, 1, 7, {}), ev.Exited(T0, 1, Outcome.ERROR), ev.WorkerLost(WorkerId("w9"))):
        assert e.handle(zombie) == ()
    assert (e.verdict(T0, 1), e.verdict(T0, 2)) == (Verdict.HALT, Verdict.CONTINUE)
    e.handle(first := ev.Reported(T0, 2, 3, {}))
    assert e.handle(first) == () and e.handle(ev.Reported(T0, 2, 2, {})) == ()
    e.handle(ev.WorkerLost(W))  # it waits: its last attempt is over
    assert e.handle(ev.Reported(T0, 2, 9, {})) == () and e.handle(ev.Exited(T0, 2, Outcome.FINISHED)) == ()


def test_a_worker_that_comes_back_gets_its_orders_again():
    e = engine(2, Script((ev.Reported, T1, Stop(T1, "bad"))))
    launched = [x for x in join(e, TWO) if isinstance(x, ev.Launched)]
    halted = report(e, T1, loss=1.0)[-1]
    assert list(e.outstanding(W)) == [*launched, halted]
    assert list(e.outstanding(WorkerId("w9"))) == []


def test_what_policies_raise_is_theirs():
    class Bad(Fixed):
        def ask(self, number, rng):
            raise KeyError("deep")

    class Worse(Fifo):
        def decide(self, news, experiment, rng):
            raise ZeroDivisionError("x")

    class Worst(Fifo):
        def pick(self, waiting, experiment):
            raise ValueError("y")

    def asks(config):
        raise OSError("z")

    for e, said in (
        (engine(Bad([])), r"Bad.ask\(0\) raised KeyError: 'deep'"),
        (engine(1, Worse()), "Worse raised ZeroDivisionError on Proposed: x"),
        (engine(1, Worst()), "Worst.pick raised ValueError: y"),
        (engine(1, request=asks), "the resources function raised OSError: z"),
    ):
        with pytest.raises(PolicyError, match=said) as caught:
            join(e)
        assert caught.value.__cause__ is not None


def test_what_policies_invent_is_refused():
    class Picks(Fifo):
        def __init__(self, trial):
            self.trial = trial

        def pick(self, waiting, experiment):
            return self.trial

    with pytest.raises(PolicyError, match="no such trial"):
        running(Stop(TrialId("nobody")))
    with pytest.raises(PolicyError, match="was not offered"):
        join(engine(1, Picks("nobody")))
    with pytest.raises(PolicyError, match="was not offered"):
        join(engine(2, Picks(T0)), TWO)


def test_a_log_that_cannot_be_is_refused():
    with pytest.raises(IllegalEvent, match=r"Launched.* cannot happen to a trial that is running"):
        Engine.replay(lambda: engine(1), [*join(engine(1)), ev.Launched(T0, 2, W, {}, ONE)])


def test_replay_believes_the_log_and_asks_nobody():
    class Deaf(Fixed):
        def ask(self, number, rng):
            raise AssertionError("asked")

    class Other(Fifo):
        def decide(self, news, experiment, rng):
            return [Stop(T0)]

        def pick(self, waiting, experiment):
            raise AssertionError("asked")

    e = engine(3)
    log = [*join(e), *report(e, checkpoint="c", loss=1.0), *leave(e, Outcome.FINISHED)]
    again = Engine.replay(lambda: engine(Deaf([]), Other()), log)
    assert again.experiment == e.experiment


@pytest.mark.parametrize(
    "decision",
    [
        Stop(T0, "r", {"rung": 1}),
        Pause(T0, "r", {"rung": 1}),
        Exploit(T0, {"x": 9}, None, "r", {"rung": 1}),
        Resize(T0, TWO, "r", {"rung": 1}),
    ],
    ids=lambda decision: type(decision).__name__,
)
def test_the_log_says_why_a_running_trial_was_halted(decision):
    e = engine(1, Script((ev.Reported, T0, decision)))
    join(e)
    (halted,) = [event for event in report(e, loss=1) if isinstance(event, ev.Halted)]
    assert (halted.reason, halted.why) == ("r", {"rung": 1})


@pytest.mark.parametrize(
    "decision",
    [
        Stop(T0, "r", {"rung": 1}),
        Resume(T0, "r", {"rung": 1}),
        Exploit(T0, {"x": 9}, None, "r", {"rung": 1}),
        Resize(T0, TWO, "r", {"rung": 1}),
    ],
    ids=lambda decision: type(decision).__name__,
)
def test_the_log_says_why_a_paused_trial_ended_or_goes_on(decision):
    e = engine(2, Script((ev.Reported, T0, Pause(T0)), (ev.Reported, T1, decision)))
    join(e)
    report(e, loss=1)
    e.handle(ev.Exited(T0, 1, Outcome.HALTED))
    (said,) = [event for event in report(e, T1, loss=1) if isinstance(event, (ev.Requeued, ev.Ended))]
    assert (said.trial, said.reason, said.why) == (T0, "r", {"rung": 1})


@pytest.mark.parametrize("decision", [Resume(T0, "r", {"rung": 1}), Exploit(T0, {"x": 9}, None, "r", {"rung": 1})])
def test_the_log_says_why_a_pause_was_taken_back(decision):
    e = engine(1, Script((ev.Reported, T0, Pause(T0)), (ev.Reported, T0, decision)))
    join(e)
    report(e, loss=1)
    (halted,) = [event for event in report(e, loss=1) if isinstance(event, ev.Halted)]
    assert (halted.then, halted.reason, halted.why) == (Then.REQUEUE, "r", {"rung": 1})


def test_workers_that_offer_nothing_for_now_are_as_if_not_there():
    e = engine(3, elastic=True)
    assert names(join(e)) == ["WorkerJoined", "Proposed", "Launched"]
    assert names(join(e, {"cpu": 0})) == ["WorkerJoined"]
    assert names(leave(e, Outcome.FINISHED)) == ["Exited", "Ended"]
    assert names(join(e)) == ["WorkerJoined", "Proposed", "Launched"]


def test_a_paused_trial_stays_so_while_nobody_offers_anything():
    e = engine(1, elastic=True, scheduler=Script((ev.Reported, T0, Pause(T0))))
    join(e)
    report(e)
    join(e, {"cpu": 0})
    assert names(leave(e, Outcome.HALTED)) == ["Exited", "Paused"]
