# How attempts end that do not end by themselves, and what is left of them: nothing.
from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from luthier.core import events as ev
from luthier.core.errors import LuthierError
from luthier.core.limits import Limits
from luthier.core.policy import Stop
from luthier.core.terms import Outcome, Status, TrialId, WorkerId
from luthier.execution.process import ProcessExecutor
from luthier.testing.isolation import gone
from luthier.testing.rig import Rig
from luthier.worker.assignment import Assignment
from luthier.worker.session import report

ONE_BY_ONE = Limits(max_concurrent=1, max_losses=0)


def stop_the_first(news, experiment):
    """Stop trial 0 as soon as trial 1 reports."""
    if isinstance(news, ev.Reported) and news.trial == "t_00001":
        return [Stop(TrialId("t_00000"), "enough")]
    return []


def children():
    """Return the processes that this one has begun, but for those that all tests share, and multiprocessing's own."""
    shared = ("resource_tracker", "postgres")
    return [
        child for child in psutil.Process().children() if not any(word in " ".join(child.cmdline()) for word in shared)
    ]


def waiting_for(path, seconds=30.0):
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("start", ["fork", "spawn", "direct"])
def test_who_does_not_let_go_is_asked_by_a_signal_that_unwinds_it(run, tmp_path, start):
    there, unwound = tmp_path / "there", tmp_path / "unwound"

    def trainable(config):
        if config["first"]:
            try:
                there.touch()
                time.sleep(3600)
            finally:
                unwound.touch()
        waiting_for(there)
        report({"i": 0})

    rig = run(trainable, [{"first": True}, {"first": False}], judge=stop_the_first, grace=0.1, start=start)
    assert rig.exited(0) == ev.Exited(rig.trial(0).id, 1, Outcome.HALTED)
    assert unwound.exists()


def test_who_does_not_heed_the_signal_is_killed(run, tmp_path):
    there = tmp_path / "there"

    def trainable(config):
        if config["first"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            there.touch()
            while True:
                time.sleep(3600)
        waiting_for(there)
        report({"i": 0})

    rig = run(trainable, [{"first": True}, {"first": False}], judge=stop_the_first, grace=0.1)
    assert rig.exited(0).outcome is Outcome.HALTED
    assert "killed" in rig.exited(0).error
    assert rig.trial(0).status is Status.STOPPED


def test_a_death_shows_the_end_of_stderr(run):
    def trainable(config):
        for i in range(100):
            print(f"line {i}", file=sys.stderr)
        os.kill(os.getpid(), signal.SIGSEGV)

    error = run(trainable).exited().error
    assert "SIGSEGV (segmentation fault" in error
    assert "line 99" in error or "Fatal Python error" in error
    assert "line 50" not in error


def test_a_kill_says_how_much_memory_there_was(run):
    def trainable(config):
        big = bytearray(os.urandom(1)) * (200 << 20)
        os.kill(os.getpid(), signal.SIGKILL)
        return len(big)

    error = run(trainable).exited().error
    assert "memory ran out" in error
    assert float(error.partition("it held up to ")[2].split()[0]) >= 200


def test_an_exit_in_the_middle_tells_its_code(run):
    rig = run(lambda config: os._exit(7))
    assert rig.exited() == ev.Exited(
        rig.trial(0).id, 1, Outcome.ERROR, "the trial's process exited with code 7 without a result"
    )


def test_who_closes_everything_and_goes_on_is_noticed(run):
    def trainable(config):
        os.closerange(3, 256)
        time.sleep(3600)

    rig = run(trainable)
    assert rig.exited().outcome is Outcome.ERROR
    assert "closed its connection" in rig.exited().error


@pytest.mark.parametrize("start", ["fork", "spawn", "direct"])
def test_what_a_trial_has_started_dies_with_it(run, start):
    def trainable(config):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        report({"child": child.pid})
        if config["die"]:
            os._exit(1)

    rig = run(trainable, [{"die": False}, {"die": True}], start=start)
    assert all(gone(rig.reports(n)[0]["child"]) for n in range(2))


def test_children_by_fork_are_no_trials(run):
    def trainable(config):
        import multiprocessing

        codes = set()
        for _ in range(20):  # often, because a signal may come before a fork is ready for it
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,))
            child.start()
            child.terminate()
            child.join()
            codes.add(child.exitcode)
        pid = os.fork()
        if not pid:
            return {"who": "a fork that goes its own way"}
        os.waitpid(pid, 0)
        return {"codes": codes}

    rig = run(trainable)
    (got,) = rig.reports()
    assert got["codes"] == {-signal.SIGTERM}
    assert rig.exited().outcome is Outcome.FINISHED


def test_what_left_its_group_dies_when_the_executor_closes(run):
    def trainable(config):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
        report({"child": child.pid})

    assert gone(run(trainable).reports()[0]["child"])


def test_a_trial_that_hangs_at_its_exit_holds_nobody_up_but_for_a_gpu(run):
    # With a GPU the next trial starts only after the process is gone.
    def trainable(config):
        previous = Path(os.environ["LUTHIER_TRIAL_DIR"]).parent / "pid"
        alive = previous.exists() and psutil.pid_exists(int(previous.read_text()))
        previous.write_text(str(os.getpid()))
        threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()
        return {"previous_is_alive": alive}

    alive = {}
    for gpu in (0.0, 1.0):
        rig = run(
            trainable, [{}, {}], limits=ONE_BY_ONE, request={"cpu": 1.0, "gpu": gpu} if gpu else {"cpu": 1.0},
            resources={"cpu": 1.0, "gpu": 1.0}, grace=0.3 if gpu else 60.0, closing=0.3,
        )  # fmt: skip
        assert [rig.exited(n).outcome for n in range(2)] == [Outcome.FINISHED] * 2
        alive[gpu] = rig.reports(1)[0]["previous_is_alive"]
    assert alive == {0.0: True, 1.0: False}


def test_the_death_of_the_template_fails_its_trials_and_no_others(run):
    def trainable(config):
        if config["kill"]:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(3600)
        report({"parent": os.getppid()})

    rig = run(trainable, [{"kill": False}, {"kill": True}, {"kill": False}], limits=ONE_BY_ONE)
    assert rig.exited(1).outcome is Outcome.ERROR
    assert "killed by SIGKILL" in rig.exited(1).error
    assert [rig.trial(n).status for n in (0, 2)] == [Status.DONE] * 2
    assert rig.reports(0)[0]["parent"] != rig.reports(2)[0]["parent"]


def test_neither_descriptors_nor_processes_pile_up(tmp_path):
    def trainable(config):
        return {"parent": os.getppid(), "own": len(os.listdir("/proc/self/fd"))}

    def descriptors(pid):
        return len(os.listdir(f"/proc/{pid}/fd"))

    before = descriptors(os.getpid())
    seen = []

    def judge(news, experiment):
        if isinstance(news, ev.Reported):
            parent = news.metrics["parent"]
            children = len(psutil.Process(parent).children())
            seen.append((descriptors(os.getpid()), descriptors(parent), news.metrics["own"], children))
        return []

    executor = ProcessExecutor(trainable, experiment_dir=tmp_path, resources={"cpu": 2.0})
    Rig(executor, tmp_path, [{}] * 200, judge=judge).run()
    assert len(seen) == 200
    for counts in zip(*seen, strict=True):
        assert max(counts[100:]) <= max(counts[:100]) + 20  # some are just ending
    assert max(children for *_, children in seen) <= 20
    assert descriptors(os.getpid()) == before
    assert children() == []


def test_closing_ends_what_runs(tmp_path):
    def trainable(config):
        (tmp_path / "pid").write_text(str(os.getpid()))
        (tmp_path / "there").touch()
        try:
            while True:
                report({"i": 0})
        finally:
            (tmp_path / "unwound").touch()

    executor = ProcessExecutor(trainable, experiment_dir=tmp_path, resources={"cpu": 1.0})
    rig = Rig(executor, tmp_path)
    for stimulus in executor.join(rig.take):
        rig.take(stimulus)
    while not executor.poll(1.0):  # a report: it is never answered
        pass
    executor.close(30.0)
    assert (tmp_path / "unwound").exists()
    assert gone(int((tmp_path / "pid").read_text()))
    assert executor.poll(None) == ()


def test_closing_before_anything_was_born(tmp_path):
    executor = ProcessExecutor(lambda config: time.sleep(3600), experiment_dir=tmp_path, resources={"cpu": 1.0})
    rig = Rig(executor, tmp_path)
    for stimulus in executor.join(rig.take):
        rig.take(stimulus)
    executor.close(5.0)
    assert children() == []


def test_halting_before_anything_was_born(tmp_path):
    executor = ProcessExecutor(lambda config: time.sleep(3600), experiment_dir=tmp_path, resources={"cpu": 1.0})
    rig = Rig(executor, tmp_path)
    for stimulus in executor.join(rig.take):
        rig.take(stimulus)
    rig.take(ev.StopRequested("never mind"))
    for observed in executor.poll(0.0):
        rig.take(observed)
    executor.close(5.0)
    assert rig.trial(0).status is Status.STOPPED


def test_a_report_that_is_too_long_names_its_biggest_metric(run):
    def trainable(config):
        report({"small": 1.0, "big": "x" * (65 << 20)})

    rig = run(trainable)
    assert rig.exited().outcome is Outcome.ERROR
    assert "metrics['big']='str of 65.0 MiB' cannot be used" in rig.exited().error


def test_a_long_report_arrives(run):
    (got,) = run(lambda config: {"big": "x" * (10 << 20), "pi": math.pi}).reports()
    assert (len(got["big"]), got["pi"]) == (10 << 20, math.pi)


def test_a_long_config_arrives(run):
    rig = run(lambda config: {"n": len(config["text"])}, [{"text": "x" * n} for n in (10 << 20, 11 << 20)], reuse=True)
    assert [rig.reports(n)[0]["n"] for n in range(2)] == [10 << 20, 11 << 20]


def test_all_of_it_may_happen_in_a_thread(run):
    rigs = []
    thread = threading.Thread(target=lambda: rigs.append(run(lambda config: {"x": 1}, [{}] * 3)))
    thread.start()
    thread.join()
    assert [rigs[0].trial(n).status for n in range(3)] == [Status.DONE] * 3


def test_a_config_that_cannot_be_sent_fails_its_trial_alone(run, tmp_path):
    executor = ProcessExecutor(lambda config: {"x": 1}, experiment_dir=tmp_path, resources={"cpu": 1.0})
    trial = TrialId("t")
    config: dict[str, Any] = {"lock": threading.Lock()}
    executor.carry_out(
        ev.Launched(trial, 1, WorkerId("local"), config, {}),
        Assignment(trial, 1, 0, config, {}, "t", "", str(tmp_path), "e", str(tmp_path)),
    )
    (exited,) = executor.poll(0.0)
    executor.close(1.0)
    assert isinstance(exited, ev.Exited)
    assert exited.outcome is Outcome.ERROR
    assert "config['lock'] (lock) cannot be sent" in exited.error


def test_a_launch_without_its_assignment_is_refused(tmp_path):
    executor = ProcessExecutor(print, experiment_dir=tmp_path, resources={"cpu": 1.0})
    with pytest.raises(LuthierError, match="without its assignment"):
        executor.carry_out(ev.Launched(TrialId("t"), 1, WorkerId("local"), {}, {}))
    executor.close(1.0)
