"""What every executor must do: the contract, as tests to inherit.

    class TestMine(ExecutorContract):
        isolated = True  # each trial has a process of its own

        @pytest.fixture
        def executor_for(self, experiment_dir):
            def make(trainable, **options):
                return MyExecutor(trainable, experiment_dir=experiment_dir, **options)
            return make

What only separate processes can promise is in :class:`~luthier.testing.isolation.IsolatedExecutorContract`.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from luthier.core import events as ev
from luthier.core.limits import Limits
from luthier.core.policy import Exploit
from luthier.core.terms import Outcome, Ref, Status, TrialId
from luthier.testing.rig import Rig
from luthier.testing.trainables import Counter, counting, pause_at, resuming, stop_at
from luthier.testing.trials import TrialContract
from luthier.worker.assignment import Checkpointing
from luthier.worker.session import get_checkpoint, report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.terms import Config
    from luthier.testing.trials import Drive, Make


class ExecutorContract(TrialContract):
    """What holds for every executor; override the fixture ``executor_for``."""

    # -- halting -------------------------------------------------------------------------------------------------------
    def test_a_halted_trial_unwinds_at_its_report(self, drive: Drive, experiment_dir: Path) -> None:
        unwound = experiment_dir / "unwound"

        def trainable(config: Config) -> None:
            i = 0
            try:
                while True:
                    i += 1
                    with contextlib.suppress(Exception):  # a user's "never mind" must not swallow a halt
                        report({"i": i})
            finally:
                unwound.write_text(str(i))

        rig = drive(trainable, judge=stop_at(3))
        assert len(rig.reports()) == 3
        assert rig.exited() == ev.Exited(rig.trial(0).id, 1, Outcome.HALTED)
        assert rig.trial(0).status is Status.STOPPED
        assert unwound.read_text() == "3"

    def test_a_halt_that_is_swallowed_is_raised_again(self, drive: Drive) -> None:
        def trainable(config: Config) -> None:
            for i in range(10):
                try:
                    report({"i": i})
                except BaseException:
                    if i > 5:
                        raise

        rig = drive(trainable, judge=stop_at(2))
        assert [m["i"] for m in rig.reports()] == [0, 1]
        assert rig.exited().outcome is Outcome.HALTED

    def test_a_halted_class_saves_itself(self, drive: Drive, experiment_dir: Path) -> None:
        rig = drive(Counter, [{"n": 100}], judge=stop_at(4))
        assert rig.exited().outcome is Outcome.HALTED
        ref = rig.exited().checkpoint
        assert ref is not None
        assert (experiment_dir / ref).is_dir()
        assert len(rig.reports()) == 4

    @pytest.mark.parametrize(("trainable", "field"), [(resuming, "count"), (Counter, "count")])
    def test_pause_and_resume(self, drive: Drive, trainable: Any, field: str) -> None:
        rig = drive(trainable, [{"n": 5}], judge=pause_at(2))
        assert [m[field] for m in rig.reports()] == [1, 2, 3, 4, 5]
        assert [m["training_iteration"] for m in rig.reports()] == [1, 2, 3, 4, 5]
        assert [e.attempt for e in rig.of(0, ev.Launched)] == [1, 2]
        assert rig.trial(0).status is Status.DONE

    def test_exploiting_another_trials_checkpoint(self, drive: Drive) -> None:
        def judge(news: ev.News, experiment: ExperimentView) -> Sequence[Decision]:
            if isinstance(news, ev.Reported) and news.attempt == 1 and news.metrics["count"] == 5:
                donor = next(iter(experiment.having(Status.DONE)))
                if news.trial != donor and experiment.trial(donor).checkpoint is not None:
                    checkpoint = experiment.trial(donor).checkpoint
                    return [Exploit(news.trial, {"n": 6, "better": True}, checkpoint, "copy")]
            return ()

        rig = drive(resuming, [{"n": 3}, {"n": 5}], judge=judge, limits=Limits(max_concurrent=1, max_losses=0))
        assert [m["count"] for m in rig.reports(0)] == [1, 2, 3]
        assert [m["count"] for m in rig.reports(1)] == [1, 2, 3, 4, 5, 4, 5, 6]
        assert rig.trial(1).config == {"n": 6, "better": True}

    # -- checkpoints ---------------------------------------------------------------------------------------------------
    def test_a_checkpoint_is_there_when_it_is_reported(self, executor_for: Make, experiment_dir: Path) -> None:
        seen: list[str] = []

        def judge(news: ev.News, experiment: ExperimentView) -> Sequence[Decision]:
            if isinstance(news, ev.Reported) and news.checkpoint is not None:
                seen.append((experiment_dir / news.checkpoint / "count").read_text())
            return ()

        executor = executor_for(resuming, resources={"cpu": 1.0}, reuse=False)
        rig = Rig(executor, experiment_dir, [{"n": 3}], judge=judge).run()
        assert seen == ["1", "2", "3"]
        folder = Path(rig.trial(0).id)
        refs = [e.checkpoint for e in rig.of(0, ev.Reported)]
        assert refs == [(folder / f"checkpoint_{i:06d}").as_posix() for i in range(3)]
        assert [m["should_checkpoint"] for m in rig.reports()] == [True] * 3

    def test_checkpoints_that_are_not_wanted_go(self, drive: Drive, experiment_dir: Path) -> None:
        rig = drive(resuming, [{"n": 6}], limits=Limits(keep=2, max_losses=0))
        left = {p.name for p in (experiment_dir / rig.trial(0).id).glob("*checkpoint*")}
        kept = {"checkpoint_000004", "checkpoint_000005"}
        assert left == kept | {f".{name}.json" for name in kept}  # each with how far its trial had come

    def test_a_failed_trial_goes_on_from_its_checkpoint(self, drive: Drive) -> None:
        def trainable(config: Config) -> None:
            first = get_checkpoint() is None
            resuming({"n": 2 if first else 4})
            if first:
                raise RuntimeError("the first attempt fails")

        rig = drive(trainable, limits=Limits(max_failures=1, max_losses=0))
        assert [m["count"] for m in rig.reports()] == [1, 2, 3, 4]
        assert [m["from"] for m in rig.reports()] == [0, 0, 2, 2]
        assert rig.trial(0).status is Status.DONE

    def test_a_class_saves_itself_as_often_as_asked(self, drive: Drive) -> None:
        rig = drive(Counter, [{"n": 5}], checkpointing=Checkpointing(frequency=2, at_end=True))
        assert [e.checkpoint is not None for e in rig.of(0, ev.Reported)] == [False, True, False, True, False]
        assert rig.exited().checkpoint == f"{rig.trial(0).id}/checkpoint_000002"

    # -- what goes wrong -----------------------------------------------------------------------------------------------
    def test_an_error_is_told_with_the_users_frames_only(self, drive: Drive, experiment_dir: Path) -> None:
        def inner(x: int) -> float:
            return 1 / x

        def trainable(config: Config) -> None:
            report({"i": 0})
            inner(config["x"])

        rig = drive(trainable, [{"x": 0}, {"x": 1}])
        exited = rig.exited(0)
        assert exited.outcome is Outcome.ERROR
        lines = exited.error.strip().splitlines()
        assert lines[-1] == "ZeroDivisionError: division by zero"
        frames = [line for line in lines if line.startswith("  File ")]
        assert [frame.rpartition(" in ")[2] for frame in frames] == ["trainable", "inner"]
        assert not any(f"luthier{os.sep}{part}{os.sep}" in exited.error for part in ("worker", "execution", "control"))
        folder = experiment_dir / rig.trial(0).id
        text = (folder / "error.txt").read_text(encoding="utf-8")
        assert text.startswith("Failure # 1 (occurred at ")
        assert "ZeroDivisionError: division by zero" in text
        assert isinstance(pickle.loads((folder / "error.pkl").read_bytes()), ZeroDivisionError)  # noqa: S301
        assert rig.trial(1).status is Status.DONE

    @pytest.mark.parametrize(
        ("raised", "last"),
        [
            (lambda: SystemExit(0), "sys.exit(0)"),
            (lambda: SystemExit("bye"), "sys.exit('bye')"),
            (lambda: GeneratorExit("odd"), "GeneratorExit: odd"),
            (lambda: ValueError("line 1\nline 2"), "line 2"),
        ],
        ids=["exit 0", "exit with text", "other base exception", "two lines"],
    )
    def test_leaving_by_an_exception_is_an_error(
        self, drive: Drive, raised: Callable[[], BaseException], last: str
    ) -> None:
        def trainable(config: Config) -> None:
            if config["bad"]:
                raise raised()

        rig = drive(trainable, [{"bad": True}, {"bad": False}])
        assert rig.exited(0).outcome is Outcome.ERROR
        assert last in rig.exited(0).error.strip().splitlines()[-1]
        assert rig.trial(1).status is Status.DONE

    @pytest.mark.parametrize(
        "trainable",
        [
            lambda config: report({"lock": threading.Lock()}),
            lambda config: report("loss"),  # type: ignore[arg-type]
            lambda config: report({"x": 1}, checkpoint="somewhere"),  # type: ignore[arg-type]
            lambda config: "loss",
        ],
        ids=["metric that cannot be stored", "report of a string", "checkpoint of another kind", "returned string"],
    )
    def test_what_cannot_be_reported_fails_the_trial_alone(self, drive: Drive, trainable: Any) -> None:
        rig = drive(trainable)
        assert rig.exited().outcome is Outcome.ERROR
        assert rig.exited().error.strip()
        assert rig.reports() == []

    def test_an_error_that_cannot_be_pickled_is_still_told(self, drive: Drive, experiment_dir: Path) -> None:
        def trainable(config: Config) -> None:
            error = ValueError("odd one")
            error.lock = threading.Lock()  # type: ignore[attr-defined]
            raise error

        rig = drive(trainable)
        assert rig.exited().error.strip().endswith("ValueError: odd one")
        stored = pickle.loads((experiment_dir / rig.trial(0).id / "error.pkl").read_bytes())  # noqa: S301
        assert "odd one" in str(stored)

    @pytest.mark.parametrize("method", ["setup", "step", "save_checkpoint", "cleanup"])
    def test_a_class_may_fail_anywhere(self, drive: Drive, method: str) -> None:
        def fail(self: Any, *args: object) -> None:
            raise RuntimeError(f"in {method}")

        broken = type("Broken", (Counter,), {method: fail})
        rig = drive(broken, [{"n": 2}], checkpointing=Checkpointing(frequency=1))
        if method == "cleanup":  # its results are what counts; that it failed is said on stderr
            assert rig.exited().outcome is Outcome.FINISHED
        else:
            assert rig.exited().outcome is Outcome.ERROR
            assert rig.exited().error.strip().endswith(f"RuntimeError: in {method}")

    # -- the loop's side -----------------------------------------------------------------------------------------------
    def test_poll_returns_when_time_is_up_or_when_woken(self, executor_for: Make) -> None:
        executor = executor_for(counting, resources={"cpu": 1.0}, reuse=False)
        try:
            executor.join(lambda stimulus: None)
            assert not executor.poll(0.01)
            timer = threading.Timer(0.05, executor.wake)
            timer.start()
            assert not executor.poll(60.0)
            timer.join()
        finally:
            executor.close(1.0)

    def test_closing_twice_does_no_harm(self, executor_for: Make) -> None:
        executor = executor_for(counting, resources={"cpu": 1.0}, reuse=False)
        executor.join(lambda stimulus: None)
        executor.close(1.0)
        executor.close(1.0)

    def test_what_is_to_be_forgotten_may_be_gone_or_elsewhere(
        self, executor_for: Make, experiment_dir: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "checkpoint_000000"
        outside.mkdir()
        executor = executor_for(counting, resources={"cpu": 1.0}, reuse=False)
        rig = Rig(executor, experiment_dir, [{"n": 1}])
        for ref in ("t_00000/checkpoint_000009", "../checkpoint_000000", str(outside)):
            executor.carry_out(ev.Forgotten(TrialId("t_00000"), Ref(ref)))
        rig.run()
        assert outside.is_dir()
