"""Agents as processes of their own: Ctrl-C, kill -9, several on one machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.agent.protocol import SWEEP
from tests.agent.test_agent import gone, python

WAITS = "import os, time; print(os.getpid()); time.sleep(60)"


@pytest.fixture
def start(serve):
    """Return a function that starts ``luthier agent`` in a process."""
    started = []

    def agent(*options):
        command = [sys.executable, "-m", "luthier", "agent", SWEEP, *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield agent
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_it_works_until_the_sweep_is_over(serve, start):
    server = serve(*python("print('hello')"))
    runs = [server.add(f"r{i}") for i in range(2)]
    agent = start("--echo", "--name", "mine", "--gpus", "none")
    out, err = agent.communicate(timeout=20)
    assert agent.returncode == 0 and out == ""
    assert [known.outcome for known in runs] == ["finished"] * 2
    assert "r1 starts: number=1" in err and "run r0 | hello" in err and "2 finished" in err
    assert server.agents["a0"]["name"] == "mine" and "gpu" not in server.agents["a0"]["resources"]


def test_ctrl_c_gives_back_and_leaves(serve, start):
    server = serve(*python(WAITS))
    known = server.add("r1")
    server.add("r2")
    agent = start()
    server.until(lambda: known.lines)
    agent.send_signal(signal.SIGINT)
    _, err = agent.communicate(timeout=20)
    assert agent.returncode == 130 and known.state == "left" and gone(int(known.lines[0]))
    assert server.left == ["a0"] and server.runs["r2"].state == "waiting"
    assert "interrupted" in err and "1 given back" in err and "Traceback" not in err


def test_a_signal_to_all_processes_of_a_job_gives_back(serve, start):
    server = serve(*python(WAITS))
    known = server.add("r1")
    agent = start()
    server.until(lambda: known.lines)
    os.kill(int(known.lines[0]), signal.SIGTERM)
    time.sleep(0.3)  # a scheduler that takes its time from one process to the next
    agent.send_signal(signal.SIGTERM)
    _, err = agent.communicate(timeout=20)
    assert agent.returncode == 143 and known.state == "left" and "1 given back" in err


def test_sigterm_that_comes_twice_is_one(serve, start):
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), print('saved'), sys.exit()))"
    server = serve(*python(f"{code}\n{WAITS}"))
    known = server.add("r1")
    agent = start()
    server.until(lambda: known.lines)
    agent.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    agent.send_signal(signal.SIGTERM)
    agent.communicate(timeout=20)
    assert known.state == "left" and known.lines[1:] == ["saved"], "it had its grace"


def test_a_program_that_ends_well_on_a_signal_to_all_is_not_done(serve, start):
    server = serve(*python(f"import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n{WAITS}"))
    known = server.add("r1")
    agent = start()
    server.until(lambda: known.lines)
    agent.send_signal(signal.SIGTERM)
    os.kill(int(known.lines[0]), signal.SIGTERM)
    agent.communicate(timeout=20)
    assert agent.returncode == 143 and known.state == "left"


def test_ctrl_c_waits_for_no_checkpoint_that_the_server_cannot_take(serve, start):
    log = "luthier.log({'loss': 1}, checkpoint=tempfile.mkdtemp())"
    server = serve(*python(f"import luthier, tempfile, time\n{log}\nprint('there')\ntime.sleep(60)"))
    server.refuse_files = (500, "the disk is full")
    known = server.add("r1")
    agent = start()
    server.until(lambda: known.lines)
    agent.send_signal(signal.SIGINT)
    _, err = agent.communicate(timeout=20)
    assert agent.returncode == 130 and known.state == "left" and "Traceback" not in err
    assert known.rows == [{"loss": 1}] and any("the disk is full" in text for text in known.lines)


def test_ctrl_c_twice_does_not_wait(serve, start):
    code = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid()); time.sleep(60)"
    server = serve(*python(code))
    known = server.add("r1")
    agent = start("--grace", "60")
    server.until(lambda: known.lines)
    agent.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert agent.poll() is None
    agent.send_signal(signal.SIGINT)
    _, err = agent.communicate(timeout=15)
    assert agent.returncode == 130 and gone(int(known.lines[0]))
    assert "interrupted: what runs here is ended and given back; once more" in err
    assert "the agent leaves (interrupted): 1 given back" in err


def test_sigterm_without_a_server_ends_too(serve, start):
    server = serve(*python(WAITS))
    known = server.add("r1")
    agent = start()
    server.until(lambda: known.lines)
    server.close()
    time.sleep(0.5)
    agent.send_signal(signal.SIGTERM)
    _, err = agent.communicate(timeout=20)
    assert agent.returncode == 143 and gone(int(known.lines[0])) and "goes on meanwhile" in err


def test_kill_9_leaves_nothing_behind(serve, start):
    code = (
        "import os, subprocess, time\na = subprocess.Popen(['sleep', '60'])\n"
        "b = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "print(os.getpid(), a.pid, b.pid)\ntime.sleep(60)"
    )
    server = serve(*python(code))
    known = server.add("r1")
    agent = start()
    server.until(lambda: known.lines)
    agent.kill()
    agent.wait()
    pids = [int(pid) for pid in known.lines[0].split()]
    end = time.monotonic() + 10
    while not all(map(gone, pids)):
        assert time.monotonic() < end, pids
        time.sleep(0.01)
    assert known.state == "running", "the server cannot know yet"


def test_who_kills_the_guard_ends_the_run(serve, start):
    code = (
        "import os, subprocess, time\na = subprocess.Popen(['sleep', '60'])\nprint(os.getppid(), a.pid)\ntime.sleep(60)"
    )
    server = serve(*python(code))
    known = server.add("r1")
    agent = start()
    server.until(lambda: known.lines)
    guard, sleeper = (int(pid) for pid in known.lines[0].split())
    os.kill(guard, signal.SIGKILL)
    agent.communicate(timeout=15)
    assert known.outcome == "failed" and "killed" in known.exits[0]["error"] and gone(sleeper)


def test_agents_on_one_machine_share_its_gpus(serve, start):
    code = (
        "import os, sys, time\nmine = os.environ['CUDA_VISIBLE_DEVICES']\n"
        "fd = os.open('gpu' + mine, os.O_CREAT | os.O_EXCL)\n"  # nobody else is at it
        "print(mine)\ntime.sleep(0.3)\nos.unlink('gpu' + mine)"
    )
    server = serve(*python(code))
    runs = [server.add(f"r{i}", resources={"slot": 1, "gpu": 1}) for i in range(6)]
    agents = [start("--gpus", "0,1", "--concurrency", "2", "--count", "2") for _ in range(3)]
    for agent in agents:
        agent.communicate(timeout=30)
    assert [known.outcome for known in runs] == ["finished"] * 6, [known.exits for known in runs]
    assert {known.lines[-1] for known in runs} == {"0", "1"}


def test_a_refusal_is_one_line(serve, start):
    server = serve("nothing")
    server.refuse = (401, "a key is needed")
    agent = start()
    _, err = agent.communicate(timeout=20)
    assert agent.returncode == 2 and len(err.splitlines()) == 1 and "luthier login" in err
