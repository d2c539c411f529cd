from __future__ import annotations

import contextlib
import sys
import threading

import pytest

from luthier.core import events as ev
from luthier.core.errors import LuthierError
from luthier.core.terms import Outcome, Then, TrialId, Verdict, WorkerId
from luthier.execution.inline import InlineExecutor
from luthier.testing.executors import ExecutorContract
from luthier.worker.assignment import Assignment
from luthier.worker.session import report


class TestContract(ExecutorContract):
    isolated = False

    @pytest.fixture
    def executor_for(self, experiment_dir):
        def make(trainable, *, resources, reuse=False):
            return InlineExecutor(trainable, resources, str(experiment_dir), reuse=reuse)

        return make


class Stopped(Exception):
    pass


@pytest.fixture
def order(tmp_path):
    """``order(executor, trial=0, **config)``: have a trial launched."""

    def launch(executor, number=0, **config):
        trial = TrialId(f"t_{number}")
        folder = tmp_path / trial
        folder.mkdir(exist_ok=True)
        given = Assignment(trial, 1, number, config, {}, trial, "", str(folder), "e", str(tmp_path))
        executor.carry_out(ev.Launched(trial, 1, WorkerId("local"), config, {}), given)

    return launch


def executor_of(trainable, tmp_path, handler=None):
    executor = InlineExecutor(trainable, {"CPU": 2}, str(tmp_path))

    def carry_on(stimulus):
        executor.answer(stimulus.trial, stimulus.attempt, Verdict.CONTINUE)

    joined = executor.join(handler or carry_on)
    assert joined == [ev.WorkerJoined(WorkerId("local"), {"cpu": 2.0})]
    return executor


def test_one_at_a_time():
    assert InlineExecutor.concurrency == 1


@pytest.mark.parametrize("error", [Stopped, KeyboardInterrupt, SystemExit])
def test_what_the_loop_raises_in_a_report_is_the_loops(tmp_path, order, error):
    reached, told = [], []

    def trainable(config):
        for _ in range(3):
            with contextlib.suppress(Exception):
                report({"i": 1})
            reached.append(True)

    def handler(stimulus):
        told.append(stimulus)
        raise error

    executor = executor_of(trainable, tmp_path, handler)
    order(executor)
    with pytest.raises(error):
        executor.poll(None)
    assert reached == []
    assert len(told) == 1
    assert not (tmp_path / "t_0" / "error.txt").exists()


def test_a_key_press_in_a_trial_is_the_loops(tmp_path, order):
    def trainable(config):
        raise KeyboardInterrupt

    executor = executor_of(trainable, tmp_path)
    order(executor)
    with pytest.raises(KeyboardInterrupt):
        executor.poll(None)


def test_a_trial_that_is_halted_before_it_began_never_begins(tmp_path, order):
    begun = []
    executor = executor_of(lambda config: begun.append(config["x"]), tmp_path)
    order(executor, 0, x=0)
    order(executor, 1, x=1)
    executor.carry_out(ev.Halted(TrialId("t_0"), 1, Then.STOP, "enough"))
    assert executor.poll(None) == [ev.Exited(TrialId("t_0"), 1, Outcome.HALTED)]
    assert executor.poll(None) == [ev.Exited(TrialId("t_1"), 1, Outcome.FINISHED)]
    assert begun == [1]


def test_an_order_counts_even_if_the_answer_does_not_know_it(tmp_path, order):
    def handler(stimulus):
        executor.carry_out(ev.Halted(TrialId("t_0"), 1, Then.STOP, "enough"))
        executor.answer(stimulus.trial, stimulus.attempt, Verdict.CONTINUE)

    def trainable(config):
        for i in range(9):
            report({"i": i})

    executor = executor_of(trainable, tmp_path, handler)
    order(executor)
    assert executor.poll(None) == [ev.Exited(TrialId("t_0"), 1, Outcome.HALTED)]


def test_it_is_this_very_thread_and_output(tmp_path, order, capsys):
    seen = []

    def trainable(config):
        seen.append((threading.current_thread(), sys.stdin))
        print("seen")

    executor = executor_of(trainable, tmp_path)
    order(executor)
    executor.poll(None)
    assert seen == [(threading.current_thread(), sys.stdin)]
    assert capsys.readouterr().out == "seen\n"


def test_the_debugger_works(tmp_path, order, monkeypatch):
    stopped = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: stopped.append(sys._getframe(1).f_locals["config"]["x"]))

    def trainable(config):
        breakpoint()  # noqa: T100

    executor = executor_of(trainable, tmp_path)
    order(executor, x=5)
    executor.poll(None)
    assert stopped == [5]


def test_a_launch_without_its_assignment(tmp_path):
    executor = executor_of(lambda config: None, tmp_path)
    with pytest.raises(LuthierError, match="without its assignment"):
        executor.carry_out(ev.Launched(TrialId("t"), 1, WorkerId("local"), {}, {}))
