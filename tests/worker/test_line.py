"""The line from a program to its agent."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

from luthier import tune
from luthier.agent.listener import Listener
from luthier.core.errors import LuthierError
from luthier.sweeps.run import init, log
from luthier.worker.line import Line, Stopped, line


@pytest.fixture
def heard(tmp_path, monkeypatch):
    """Messages that come to a listener that this process is to talk to."""
    messages = []

    def answer(message):
        messages.append(message)
        if "wrong" in str(message):
            raise ValueError("that is wrong")
        return {"halt": "enough" if "last" in str(message) else None}

    listener = Listener(str(tmp_path / "s"), answer)
    monkeypatch.setenv("LUTHIER_SOCKET", listener.path)
    before = signal.getsignal(signal.SIGTERM)
    yield messages
    signal.signal(signal.SIGTERM, before)
    listener.close()


@pytest.fixture
def run(heard):
    with init() as opened:
        yield opened


def test_rows_come_as_they_were_said(heard, run):
    run.log({"loss": np.float32(0.5), "nan": float("nan"), "by": {"a": [1, 2]}, "odd": object()}, step=3)
    (message,) = heard
    assert message["is"] == "row" and abs(message["at"] - time.time()) < 60
    row = message["row"]
    assert row["loss"] == 0.5 and row["nan"] != row["nan"] and row["by"] == {"a": [1, 2]} and row["_step"] == 3
    assert isinstance(row["odd"], str) and "object" in row["odd"], "no pickle travels"


def test_halt_comes_with_the_answer(heard, run):
    run.log({"a": 1})
    with pytest.raises(Stopped) as caught:
        run.log({"last": 1})
    assert caught.value.reason == "enough" and caught.value.code == 0 and not isinstance(caught.value, Exception)
    assert len(heard) == 2, "the row itself counts"


def test_a_refusal_names_the_reason(heard, run):
    with pytest.raises(LuthierError, match="that is wrong"):
        run.log({"wrong": 1})
    run.log({"fine": 1})


def test_a_row_may_not_be_huge(heard, run):
    with pytest.raises(LuthierError, match=r"1 MiB.*checkpoint"):
        run.log({"image": "x" * (1 << 20)})
    assert not heard


def test_many_threads_share_it(heard, run):
    threads = [threading.Thread(target=lambda n=n: [run.log({"n": n, "i": i}) for i in range(50)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(4):
        assert [m["row"]["i"] for m in heard if m["row"]["n"] == n] == list(range(50))


def test_a_fork_has_a_line_of_its_own(tmp_path):
    listener = Listener(str(tmp_path / "s"), lambda message: {"echo": message["n"]})
    agent = Line(listener.path)
    try:
        assert agent.say({"n": "first"})["echo"] == "first"
        child = os.fork()
        who = "parent" if child else "child"
        fine = all(agent.say({"n": f"{who} {i}"}).get("echo") == f"{who} {i}" for i in range(300))
        if not child:
            os._exit(0 if fine else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and fine
    finally:
        listener.close()


def test_without_an_agent_the_program_goes_on(heard, run, tmp_path):
    os.unlink(tmp_path / "s")
    run.log({"a": 1})
    run.log({"a": 2})
    assert not heard and run.summary["a"] == 2


def test_only_the_first_of_several_processes_logs(heard, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with init() as run:
        run.log({"a": 1})
        run.summary["b"] = 2
        tune.report({"a": 2})
    with init(all_ranks=True) as run:
        run.log({"a": 3})
    assert [message["row"] for message in heard] == [{"a": 3}]


def test_tune_report_goes_the_same_way(heard, tmp_path):
    (tmp_path / "ckpt").mkdir()
    tune.report({"loss": 1}, checkpoint=tune.Checkpoint(str(tmp_path / "ckpt")))
    assert heard[0]["row"] == {"loss": 1} and heard[0]["checkpoint"] == str(tmp_path / "ckpt")
    with pytest.raises(Stopped):
        tune.report({"last": 1})


def test_sigterm_ends_quietly_and_in_order(heard, run):
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_a_way_of_ones_own_to_take_sigterm_stays(tmp_path, monkeypatch):
    taken = []
    before = signal.signal(signal.SIGTERM, lambda *_: taken.append(1))
    try:
        monkeypatch.setenv("LUTHIER_SOCKET", str(tmp_path / "nobody"))
        assert isinstance(line(), Line)
        os.kill(os.getpid(), signal.SIGTERM)
        assert taken
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_in_the_middle_does_not_mix_up_answers(tmp_path, monkeypatch):
    go = threading.Event()

    def answer(message):
        if message["n"] == 1:
            go.wait(5)
        return {"halt": f"answer to {message['n']}"}

    listener = Listener(str(tmp_path / "s"), answer)
    before = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        agent = Line(listener.path)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            agent.say({"n": 1})
        go.set()
        assert agent.say({"n": 2})["halt"] == "answer to 2"
    finally:
        signal.signal(signal.SIGALRM, before)
        listener.close()


def test_log_makes_a_run_where_there_is_none(heard):
    log({"loss": 1})
    with init() as run:
        assert run.summary["loss"] == 1
    assert len(heard) == 1
