"""What executors promise that give each trial a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from luthier.core import events as ev
from luthier.core.terms import Outcome, Status
from luthier.testing.executors import ExecutorContract
from luthier.testing.rig import Rig
from luthier.worker.session import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.terms import Config
    from luthier.testing.trials import Drive, Make


def crash() -> None:
    """Read what is not there."""
    ctypes.string_at(0)


class IsolatedExecutorContract(ExecutorContract):
    """The contract of executors whose trials are processes; what they print goes to files in their folder."""

    isolated: ClassVar[bool] = True
    untold: ClassVar[tuple[str, ...]] = ()  # exit codes and signals that there is no way to know of

    def test_an_attempt_that_hangs_can_be_given_up(self, executor_for: Make, experiment_dir: Path) -> None:
        def trainable(config: Config) -> None:
            report({"i": 0})
            time.sleep(3600)

        executor = executor_for(trainable, resources={"cpu": 1.0}, reuse=False)
        rig = Rig(executor, experiment_dir)

        def give_up() -> None:
            if rig.reports():
                assert executor.give_up(rig.trial(0).id, 1, "no report for 7 s")
            assert executor.give_up(rig.trial(0).id, 99, "nobody has this number")

        rig.run(each_round=give_up)
        assert rig.exited().outcome is Outcome.ERROR
        assert rig.exited().error.splitlines()[0] == "no report for 7 s"
        assert rig.trial(0).status is Status.FAILED

    @pytest.mark.parametrize(
        ("die", "why"),
        [
            (lambda: os._exit(3), "3"),
            (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
            (crash, "SIGSEGV"),
        ],
        ids=["os._exit", "killed", "segfault"],
    )
    def test_the_death_of_a_process_fails_its_trial_alone(
        self, drive: Drive, die: Callable[[], None], why: str
    ) -> None:
        def trainable(config: Config) -> None:
            report({"i": 0})
            if config["die"]:
                die()

        rig = drive(trainable, [{"die": True}, {"die": False}, {"die": True}, {"die": False}])
        for number in (0, 2):
            assert len(rig.reports(number)) == 1
            assert rig.exited(number).outcome in (Outcome.ERROR, Outcome.LOST)
            assert why in rig.exited(number).error or why in self.untold
            assert rig.trial(number).status is Status.FAILED
        assert rig.trial(1).status is rig.trial(3).status is Status.DONE

    @pytest.mark.parametrize("way", ["reports", "returns"])
    def test_what_a_fork_says_is_not_the_trials_word(self, drive: Drive, way: str) -> None:
        def trainable(config: Config) -> dict[str, object] | None:
            for i in range(2):
                pid = os.fork()
                if not pid and way == "returns":
                    return {"who": "a fork that goes its own way"}
                if not pid:
                    try:
                        report({"i": i, "who": "a fork"})
                    finally:
                        os._exit(0)
                os.waitpid(pid, 0)
                report({"i": i, "who": "the trial"})
            return None

        rig = drive(trainable, [{}])
        assert [(said["i"], said["who"]) for said in rig.reports()] == [(0, "the trial"), (1, "the trial")]
        assert rig.exited().outcome is Outcome.FINISHED

    @pytest.mark.parametrize("how", ["thread", "atexit", "child"])
    def test_a_process_that_hangs_at_its_exit_is_not_waited_for(self, drive: Drive, how: str) -> None:
        def trainable(config: Config) -> None:
            import atexit

            if how == "thread":
                threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()
            elif how == "atexit":
                atexit.register(time.sleep, 3600)
            else:
                subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
            report({"pid_was": os.getpid()})

        rig = drive(trainable, [{}, {}])
        assert [rig.exited(n).outcome for n in range(2)] == [Outcome.FINISHED] * 2
        assert all(gone(rig.reports(n)[0]["pid_was"]) for n in range(2))

    def test_what_is_printed_is_kept(self, drive: Drive, experiment_dir: Path) -> None:
        def trainable(config: Config) -> None:
            print("to stdout, naïve ☃")  # noqa: T201
            sys.stderr.write("to stderr\n")
            sys.stdout.flush()
            os.system("echo from a child")  # noqa: S605, S607
            report({"i": 0})
            print("without a newline", end="")  # noqa: T201

        rig = drive(trainable, [{}, {}])
        for number in range(2):
            folder = experiment_dir / rig.trial(number).id
            out = (folder / "stdout").read_text(encoding="utf-8")
            assert out.splitlines() == ["to stdout, naïve ☃", "from a child", "without a newline"]
            assert "to stderr" in (folder / "stderr").read_text(encoding="utf-8")

    def test_what_was_printed_before_a_crash_is_kept(self, drive: Drive, experiment_dir: Path) -> None:
        def trainable(config: Config) -> None:
            print("last words")  # noqa: T201
            os.kill(os.getpid(), signal.SIGKILL)

        rig = drive(trainable)
        assert "last words" in (experiment_dir / rig.trial(0).id / "stdout").read_text(encoding="utf-8")

    def test_trials_run_side_by_side(self, drive: Drive, experiment_dir: Path) -> None:
        def trainable(config: Config) -> None:
            (experiment_dir / config["me"]).touch()
            until = time.monotonic() + 30
            while not (experiment_dir / config["other"]).exists():
                if time.monotonic() > until:
                    raise TimeoutError("the other trial never came")
                time.sleep(0.01)

        rig = drive(trainable, [{"me": "a", "other": "b"}, {"me": "b", "other": "a"}])
        assert [t.status for t in rig.engine.experiment.trials.values()] == [Status.DONE] * 2

    def test_the_environment_follows_the_resources(self, drive: Drive) -> None:
        def trainable(config: Config) -> None:
            names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
            report({"env": {name: os.environ.get(name) for name in names}})

        rig = drive(trainable, request={"cpu": 2.0, "gpu": 1.0}, devices={"gpu": ["1"]})
        assert rig.reports()[0]["env"] == {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "1"}
        rig = drive(trainable, request={"cpu": 1.0})
        assert rig.reports()[0]["env"] == {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

    def test_a_trial_starts_in_a_clean_process(self, drive: Drive) -> None:
        def trainable(config: Config) -> None:
            import decimal

            report({"marked": hasattr(decimal, "mark")})
            decimal.mark = True  # type: ignore[attr-defined]

        rig = drive(trainable, [{}, {}, {}])
        assert [rig.reports(n)[0]["marked"] for n in range(3)] == [False] * 3

    def test_nothing_survives_closing(self, executor_for: Make, experiment_dir: Path) -> None:
        def stubborn(config: Config) -> None:
            if threading.current_thread() is threading.main_thread():  # elsewhere Python lets nobody ignore a signal
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            report({"pid_was": os.getpid()})
            while True:
                with contextlib.suppress(BaseException):  # nor does it heed what is raised in it
                    time.sleep(0.1)

        executor = executor_for(stubborn, resources={"cpu": 1.0}, reuse=False)
        rig = Rig(executor, experiment_dir)
        inbox: Any = executor.join(rig.take)
        until = time.monotonic() + 30
        while not any(isinstance(event, ev.Reported) for event in rig.log):
            assert time.monotonic() < until
            for stimulus in inbox:
                rig.take(stimulus)
            inbox = executor.poll(1.0)
        executor.close(0.1)
        assert gone(rig.reports()[0]["pid_was"])

    def test_who_never_reports_is_ended_all_the_same(self, executor_for: Make, experiment_dir: Path) -> None:
        started = experiment_dir / "started"

        def silent(config: Config) -> None:
            started.touch()
            while True:
                time.sleep(0.1)

        executor = executor_for(silent, resources={"cpu": 1.0}, reuse=False)
        rig = Rig(executor, experiment_dir)

        def stop() -> None:
            if started.exists():
                rig.take(ev.StopRequested("enough"))

        rig.run(each_round=stop)
        assert rig.exited().outcome in (Outcome.HALTED, Outcome.ERROR, Outcome.LOST)
        assert rig.trial(0).status is Status.STOPPED


def gone(pid: int, within: float = 10.0) -> bool:
    """Return whether no such process runs any more, waiting a little for that."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False
