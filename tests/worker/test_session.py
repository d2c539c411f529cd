from __future__ import annotations

import os
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from luthier.checkpoints import local
from luthier.checkpoints.base import Checkpoint
from luthier.core.terms import Outcome, Verdict
from luthier.worker.attempt import run_attempt
from luthier.worker.context import get_context, get_trial_dir, get_trial_id, get_trial_name, get_trial_resources
from luthier.worker.progress import Progress
from luthier.worker.session import checkpoint_dir, current, get_checkpoint, report
from tests.worker.recorder import Recorder

HALT, CONTINUE, SAVE = Verdict.HALT, Verdict.CONTINUE, Verdict.SAVE_AND_HALT


def test_fields(run):
    def trainable(config):
        report({"loss": 1.0, "timesteps_this_iter": 10})
        report({"loss": 2.0, "timesteps_this_iter": 5, "episodes_this_iter": 1, "time_this_iter_s": 100.0})
        report({"done": True, "timestamp": 7, "training_iteration": 99, "timesteps_total": -1, "time_total_s": "no"})
        report({})

    _, channel = run(trainable, iteration=4, time_total_s=1000.0, timesteps_total=100)
    a, b, c, d = channel.metrics
    assert [m["training_iteration"] for m in (a, b, c, d)] == [5, 6, 99, 8]
    assert [m["iterations_since_restore"] for m in (a, b, c, d)] == [1, 2, 3, 4]
    assert [m["timesteps_total"] for m in (a, b, c, d)] == [110, 115, -1, 115]
    assert [m["timesteps_since_restore"] for m in (a, b, c, d)] == [10, 15, 15, 15]
    assert "episodes_total" not in a
    assert [m["episodes_total"] for m in (b, c, d)] == [1, 1, 1]
    assert a["time_total_s"] == pytest.approx(1000 + a["time_this_iter_s"])
    assert b["time_this_iter_s"] == 100.0
    assert b["time_total_s"] == pytest.approx(a["time_total_s"] + 100)
    assert b["time_since_restore"] == pytest.approx(a["time_this_iter_s"] + 100)
    assert c["time_total_s"] > 1100
    assert (a["done"], c["done"], c["timestamp"]) == (False, True, 7)
    assert isinstance(a["timestamp"], int)
    assert a["pid"] == os.getpid()
    assert a["hostname"]
    assert a["node_ip"].count(".") == 3
    assert "should_checkpoint" not in a
    assert [r.seq for r in channel.reports] == [0, 1, 2, 3]
    assert all((r.trial, r.attempt) == ("t_0", 1) for r in channel.reports)


def test_the_time_that_the_answer_takes_is_not_the_trials(assigned):
    class Slow(Recorder):
        def tell(self, report):
            time.sleep(0.3)
            return super().tell(report)

    def trainable(config):
        report({})
        report({})

    slow = Slow()
    run_attempt(trainable, assigned(), slow)
    assert slow.metrics[1]["time_this_iter_s"] < 0.3


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: report(loss=1), {"loss": 1}),
        (lambda: report(0.5), {"_metric": 0.5}),  # type: ignore[arg-type]
        (lambda: report(np.float32(0.5), acc=2), {"_metric": 0.5, "acc": 2}),  # type: ignore[arg-type]
        (lambda: report({"a": 1}, b=2), {"a": 1, "b": 2}),
    ],
)
def test_old_spellings_warn_once(run, call, expected):
    def trainable(config):
        for _ in range(3):
            call()

    with pytest.warns(DeprecationWarning, match="old spelling") as caught:
        exited, channel = run(trainable)
    assert exited.outcome is Outcome.FINISHED, exited.error
    assert len(channel.metrics) == 3
    assert channel.metrics[2].items() >= expected.items()
    texts = [str(w.message) for w in caught]
    assert len(texts) == len(set(texts))
    assert all(w.filename == __file__ for w in caught)


def test_todays_spellings_do_not_warn(run):
    from types import MappingProxyType

    def trainable(config):
        report({"a": 1})
        report(MappingProxyType({"a": 2}))
        report()
        report(checkpoint=Checkpoint.from_dict({"x": 1}))

    exited, channel = run(trainable)
    assert exited.outcome is Outcome.FINISHED, exited.error
    assert [m.get("a") for m in channel.metrics] == [1, 2, None, None]


@pytest.mark.parametrize(
    ("given", "named"), [("loss", "str"), ([1], "list"), (np.arange(3), "ndarray"), (Checkpoint("/x"), "Checkpoint")]
)
def test_what_is_no_dict_is_named(run, given, named):
    caught = []

    def trainable(config):
        try:
            report(given)
        except TypeError as error:
            caught.append(str(error))
            raise

    exited, channel = run(trainable)
    assert exited.outcome is Outcome.ERROR
    assert channel.reports == []
    assert "metrics=" in caught[0]
    assert named in caught[0]
    assert "report({'loss': 0.1})" in caught[0]


def test_outside_of_a_trial():
    assert current() is None
    with pytest.warns(UserWarning, match="outside of a trial"):
        report({"loss": 1})
    report({"loss": 1})  # once is enough
    assert get_checkpoint() is None
    ctx = get_context()
    for answer in (
        ctx.get_trial_id(), ctx.get_trial_name(), ctx.get_trial_dir(), ctx.get_trial_resources(), ctx.get_trial_seed(),
        ctx.get_experiment_name(), ctx.get_storage(), get_trial_id(), get_trial_name(), get_trial_dir(),
        get_trial_resources(),
    ):  # fmt: skip
        assert answer is None


def test_the_context(run, tmp_path):
    def trainable(config):
        ctx = get_context()
        held = ctx.get_trial_resources()
        storage = ctx.get_storage()
        assert storage is not None
        return {
            "seed": ctx.get_trial_seed(), "held": dict(held or {}), "bundles": held.bundles if held else None,
            "path": storage.storage_path, "same": get_trial_dir() == ctx.get_trial_dir() == storage.trial_path,
        }  # fmt: skip

    exited, channel = run(trainable, seed=5, resources={"cpu": 1.0, "gpu": 0.5, "tpu": 2.0})
    assert exited.error == ""
    (got,) = channel.metrics
    assert got["seed"] == 5
    assert got["held"] == {"cpu": 1.0, "gpu": 0.5, "tpu": 2.0}
    assert got["bundles"] == [{"CPU": 1.0, "GPU": 0.5, "tpu": 2.0}]
    assert got["path"] == str(tmp_path)
    assert got["same"] is True


def test_sessions_within_sessions(run):
    def inner(config):
        return {"inner": get_trial_id()}

    def outer(config):
        before = get_trial_id()
        run(inner, trial="t_inner")
        report({"before": before, "after": get_trial_id()})

    _, channel = run(outer)
    assert (channel.metrics[0]["before"], channel.metrics[0]["after"]) == ("t_0", "t_0")
    assert current() is None


# -- halting ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("verdict", [HALT, SAVE])
def test_halting(run, verdict):
    unwound = []

    def trainable(config):
        try:
            for i in range(10):
                report({"i": i})
        except Exception:  # pragma: no cover
            unwound.append("caught")
        finally:
            unwound.append("finally")

    exited, channel = run(trainable, verdicts=[CONTINUE, verdict])
    assert exited.outcome is Outcome.HALTED
    assert exited.error == ""
    assert unwound == ["finally"]
    assert len(channel.reports) == 2


def test_a_swallowed_halt_reports_no_more(run):
    raised = []

    def trainable(config):
        for i in range(4):
            try:
                report({"i": i})
            except BaseException as error:
                raised.append(type(error).__name__)
        return {"i": "returned"}

    exited, channel = run(trainable, verdicts=[HALT])
    assert exited.outcome is Outcome.HALTED
    assert raised == ["Halted"] * 4
    assert len(channel.reports) == 1


def test_an_error_while_unwinding_is_an_error(run):
    def trainable(config):
        try:
            report({})
        finally:
            raise RuntimeError("in finally")

    exited, _ = run(trainable, verdicts=[HALT])
    assert exited.outcome is Outcome.ERROR
    assert "RuntimeError: in finally" in exited.error


def test_halting_in_a_thread_is_quiet(run, capfd):
    def trainable(config):
        thread = threading.Thread(target=report, args=({},))
        thread.start()
        thread.join()

    exited, _ = run(trainable, verdicts=[HALT])
    assert exited.outcome is Outcome.HALTED
    assert capfd.readouterr().err == ""


def test_halting_in_a_pool_comes_out(run):
    def trainable(config):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(report, {}).result()
        raise AssertionError("not reached")

    exited, _ = run(trainable, verdicts=[HALT])
    assert exited.outcome is Outcome.HALTED


def test_many_threads_report_in_order(run):
    def trainable(config):
        def work():
            for _ in range(50):
                report({"x": 1})

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    _, channel = run(trainable)
    assert [r.seq for r in channel.reports] == list(range(200))
    assert [m["training_iteration"] for m in channel.metrics] == list(range(1, 201))


# -- checkpoints -----------------------------------------------------------------------------------------------------
def test_checkpoints_are_numbered_on(run, tmp_path):
    seen = []

    def trainable(config):
        for i in range(2):
            (tmp_path / "mine").mkdir(exist_ok=True)
            (tmp_path / "mine" / "i").write_text(str(i))
            report({"i": i}, checkpoint=Checkpoint(tmp_path / "mine"))
            latest = get_checkpoint()
            assert latest is not None
            seen.append(Path(latest.path, "i").read_text())
        report({"i": 2})

    exited, channel = run(trainable, next_checkpoint=5)
    assert exited.error == ""
    assert [r.checkpoint for r in channel.reports] == ["t_0/checkpoint_000005", "t_0/checkpoint_000006", None]
    assert [m.get("checkpoint_dir_name") for m in channel.metrics] == ["checkpoint_000005", "checkpoint_000006", None]
    assert [m.get("should_checkpoint") for m in channel.metrics] == [True, True, None]
    assert seen == ["0", "1"]
    assert (tmp_path / "mine" / "i").exists()


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [("/a/path", "Checkpoint.from_directory"), (Checkpoint("/never/there"), "its directory is gone")],
)
def test_bad_checkpoints(run, checkpoint, said):
    exited, channel = run(lambda config: report({"x": 1}, checkpoint=checkpoint))
    assert exited.outcome is Outcome.ERROR
    assert said in exited.error
    assert channel.reports == []


def test_restoring(run, tmp_path):
    stored = tmp_path / "experiment" / "t_9" / "checkpoint_000003"
    stored.mkdir(parents=True)

    def trainable(config):
        checkpoint = get_checkpoint()
        return {"path": checkpoint.path if checkpoint else None}

    _, channel = run(trainable, restore="t_9/checkpoint_000003")
    assert channel.metrics[0]["path"] == str(stored)
    exited, channel = run(trainable, restore="t_9/checkpoint_000004")
    assert exited.outcome is Outcome.ERROR
    assert "checkpoint_000004" in exited.error
    assert channel.reports == []


def test_what_a_dead_attempt_left_is_swept(run, tmp_path):
    left = tmp_path / "experiment" / "t_0" / ".saving_1_1"
    left.mkdir(parents=True)
    run(lambda config: report({}, checkpoint=Checkpoint.from_dict({})))
    assert not left.exists()


def test_the_old_checkpoint_dir(run, tmp_path):
    def trainable(config):
        for i in range(3):
            with checkpoint_dir(step=i) as folder:
                Path(folder, "i").write_text(str(i))
            if i < 2:
                report({"i": i})

    with pytest.warns(DeprecationWarning, match="checkpoint_dir"):
        exited, channel = run(trainable)
    assert exited.error == ""
    assert [r.checkpoint for r in channel.reports] == ["t_0/checkpoint_000000", "t_0/checkpoint_000001"]
    assert exited.checkpoint == "t_0/checkpoint_000002"  # never reported, yet saved: the trial ends on it
    assert (tmp_path / "experiment" / exited.checkpoint / "i").read_text() == "2"
    names = sorted(p.name for p in (tmp_path / "experiment" / "t_0").iterdir())
    assert names == [f".checkpoint_00000{i}.json" for i in range(3)] + [f"checkpoint_00000{i}" for i in range(3)]


def test_the_old_checkpoint_dir_in_an_error(run, tmp_path):
    def trainable(config):
        with checkpoint_dir(step=0):
            raise KeyError("half way")

    with pytest.warns(DeprecationWarning, match="checkpoint_dir"):
        exited, _ = run(trainable)
    assert exited.checkpoint is None
    assert not list((tmp_path / "experiment" / "t_0").glob("*saving*"))
    assert not list((tmp_path / "experiment" / "t_0").glob("checkpoint*"))


def test_the_old_checkpoint_dir_outside():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with checkpoint_dir(step=1) as folder:
            assert Path(folder).is_dir()


def test_a_checkpoint_that_a_dead_attempt_never_reported_goes(run, tmp_path):
    def trainable(config):
        for step in range(2):
            (tmp_path / "step").mkdir(exist_ok=True)
            report({"step": step}, checkpoint=Checkpoint(tmp_path / "step"))

    run(trainable)
    _, channel = run(trainable, attempt=2, next_checkpoint=1)  # the driver died before it heard of the second one
    assert [r.checkpoint for r in channel.reports] == ["t_0/checkpoint_000001", "t_0/checkpoint_000002"]


def test_each_thread_has_its_own_trial(run):
    barrier = threading.Barrier(2, timeout=30)

    def trainable(config):
        for step in range(3):
            barrier.wait()
            report({"mine": config["mine"], "step": step})

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, trainable, {"mine": mine}) for mine in (1, 2)]
        channels = [r.result()[1] for r in runs]
    assert [[m["mine"] for m in channel.metrics] for channel in channels] == [[1] * 3, [2] * 3]
    assert current() is None


def test_a_thread_that_may_belong_to_several_trials_is_told(run):
    barrier = threading.Barrier(2, timeout=30)

    def trainable(config):
        barrier.wait()
        try:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(report, {"loss": 1}).result()
        finally:
            barrier.wait()

    with ThreadPoolExecutor(2) as pool:
        outcomes = [pool.submit(run, trainable).result for _ in range(2)]
        exits = [outcome()[0] for outcome in outcomes]
    assert all("several experiments run inline" in e.error for e in exits)


def test_what_a_dead_attempt_left_goes_even_if_nothing_is_saved_again(run, tmp_path):
    folder = tmp_path / "experiment" / "t_0"
    for name in (".saving_1_1", "checkpoint_000000", "checkpoint_000001"):
        (folder / name).mkdir(parents=True)
    for index in range(2):
        (folder / f".checkpoint_00000{index}.json").write_text("{}")
    run(lambda config: 1, attempt=2, next_checkpoint=1, restore="t_0/checkpoint_000000")
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == ["checkpoint_000000"]


def test_a_checkpoint_whose_note_has_no_room_is_not_there_either(run, tmp_path, monkeypatch):
    def no_room(self, folder):
        Path(local.progress_file(folder)).touch()  # the file was made, and then there was no room
        raise OSError(28, "No space left on device")

    source = tmp_path / "source"
    source.mkdir()
    monkeypatch.setattr(Progress, "write", no_room)
    exited, channel = run(lambda config: report({"i": 0}, checkpoint=Checkpoint(source)))
    assert exited.outcome is Outcome.ERROR
    assert "CheckpointFailed: [Errno 28] the checkpoint" in exited.error
    assert channel.reports == []
    left = {p.name for p in (tmp_path / "experiment" / "t_0").iterdir()}
    assert left == {"error.txt", "error.pkl"}
