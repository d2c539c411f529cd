"""Event files, read back by TensorBoard itself."""

from __future__ import annotations

import glob
import logging
import math
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.logger import TBXLoggerCallback, event_file
from luthier.tune.logger.tensorboardx import hparams
from luthier.tune.logger.tracked import Reading, Tracked
from luthier.tune.schedulers import PopulationBasedTraining


@pytest.fixture(scope="module")
def board():
    """TensorBoard's own reader: ``board(folder)`` has read all that is there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import (
            STORE_EVERYTHING_SIZE_GUIDANCE,
            EventAccumulator,
        )

    def read(folder):
        accumulator = EventAccumulator(str(folder), STORE_EVERYTHING_SIZE_GUIDANCE)
        accumulator.Reload()
        return accumulator

    return read


def fitted(trainable, path, callback=None, **more):
    run = tune.RunConfig(
        name="e", storage_path=str(path), executor="inline", verbose=0, callbacks=[callback or TBXLoggerCallback()]
    )
    space = {"lr": tune.grid_search([0.1, 0.2]), "model": {"layers": (3, 4), "bias": True, "name": "ü"}}
    return tune.Tuner(trainable, param_space=space, tune_config=tune.TuneConfig(**more), run_config=run).fit()


def curve(accumulator, tag):
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


def test_numbers_lists_pictures_and_slashes(tmp_path, board):
    def train(config):
        for i in range(3):
            tune.report(
                {
                    "loss": {"train": config["lr"] * i, "valid": np.float32(i)},
                    "weights": [0.0, 1.0, 2.0],
                    "picture": np.full((3, 2, 5), 0.5),
                    "huge": 1e300,
                    "bad": math.nan,
                    "text": "no metric",
                }
            )

    grid = fitted(train, tmp_path)
    assert not grid.errors
    for result in grid:
        found = board(result.path)
        lr = result.config["lr"]
        assert curve(found, "ray/tune/loss/train") == [(i + 1, pytest.approx(lr * i)) for i in range(3)]
        assert curve(found, "ray/tune/loss/valid") == [(1, 0.0), (2, 1.0), (3, 2.0)]
        assert [value for _, value in curve(found, "ray/tune/huge")] == [math.inf] * 3
        assert all(math.isnan(value) for _, value in curve(found, "ray/tune/bad"))
        assert found.Histograms("ray/tune/weights")[0].histogram_value.num == 3
        picture = found.Images("ray/tune/picture")[0]
        assert (picture.width, picture.height) == (5, 2)
        assert picture.encoded_image_string.startswith(b"\x89PNG")
        assert "ray/tune/text" not in str(found.Tags())
        assert {"ray/tune/time_this_iter_s"} <= set(found.Tags()["scalars"])
        assert not [tag for tag in found.Tags()["scalars"] if tag.split("/")[-1] in ("pid", "timestamp", "lr")]


def test_pictures_are_what_was_reported():
    from io import BytesIO

    from PIL import Image

    from luthier.tune.logger.picture import png

    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 6), dtype=np.uint8)
    told = png(pixels)
    assert told is not None
    drawn, height, width, channels = told
    assert (height, width, channels) == (4, 6, 3)
    assert (np.moveaxis(np.asarray(Image.open(BytesIO(drawn))), 2, 0) == pixels).all()
    assert png(np.zeros((7, 2, 2))) is None


def test_messages_are_those_of_tensorboard():
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    told = event_file.event(1.5, -3, [event_file.histogram("h", [1, 2, 2.5]), event_file.scalar("a/b", 0.25)])
    read = Event.FromString(told)
    assert (read.wall_time, read.step, read.summary.value[1].tag) == (1.5, -3, "a/b")
    histogram = read.summary.value[0].histo
    assert (histogram.min, histogram.max, histogram.num, histogram.sum) == (1, 2.5, 3, 5.5)
    assert sum(histogram.bucket) == 3 and len(histogram.bucket) == len(histogram.bucket_limit)
    told = event_file.hparams_begin("t0", 2.0, {"lr": 0.1, "deep": True, "name": "x" * 300, "n": 7})
    content = Event.FromString(event_file.event(0.0, 0, [told])).summary.value[0].metadata.plugin_data.content
    session = HParamsPluginData.FromString(content).session_start_info
    assert (session.group_name, session.start_time_secs) == ("t0", 2.0)
    assert session.hparams["lr"].number_value == 0.1 and session.hparams["n"].number_value == 7
    assert session.hparams["deep"].bool_value is True and session.hparams["name"].string_value == "x" * 300


def test_the_hparams_tab_shows_parameters_and_how_trials_ended(tmp_path, board):
    def train(config):
        tune.report({"loss": config["lr"]})
        if config["lr"] > 0.15:
            raise ValueError("too fast")

    fitted(train, tmp_path)
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "e"))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(tmp_path / "e"))
    context = backend_context.Context(TBContext(data_provider=provider))
    metadata = context.hparams_metadata(RequestContext(), "")
    experiment = context.experiment_from_metadata(RequestContext(), "", True, metadata, [])
    assert {info.name for info in experiment.hparam_infos} >= {"lr", "model/name", "model/bias"}
    assert "ray/tune/loss" in {info.name.tag for info in experiment.metric_infos}
    statuses = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE]
    columns = [api_pb2.ColParams(hparam="lr", order=api_pb2.ORDER_ASC)]
    asked = api_pb2.ListSessionGroupsRequest(
        start_index=0, slice_size=9, allowed_statuses=statuses, col_params=columns, include_metrics=True
    )
    groups = list_session_groups.Handler(RequestContext(), context, "", asked).run().session_groups
    assert [group.hparams["lr"].number_value for group in groups] == [0.1, 0.2]
    assert [group.sessions[0].status for group in groups] == statuses
    assert [group.hparams["model/name"].string_value for group in groups] == ["ü", "ü"]


def test_a_failed_attempt_is_replaced_from_its_checkpoint_on(tmp_path, board):
    def train(config):
        checkpoint = tune.get_checkpoint()
        begin = 1
        if checkpoint is not None:
            with checkpoint.as_directory() as folder, open(f"{folder}/step") as file:
                begin = int(file.read()) + 1
        for step in range(begin, 6):
            metrics = {"again": float(checkpoint is not None)}
            if step == 2:
                os.makedirs(tmp_path / str(config["lr"]))
                (tmp_path / str(config["lr"]) / "step").write_text("2")
                tune.report(metrics, checkpoint=tune.Checkpoint(tmp_path / str(config["lr"])))
            else:
                tune.report(metrics)
            if step == 4 and checkpoint is None:
                raise ValueError("once")

    run = tune.RunConfig(
        name="e",
        storage_path=str(tmp_path),
        executor="inline",
        verbose=0,
        callbacks=[TBXLoggerCallback(prefix="")],
        failure_config=tune.FailureConfig(max_failures=1),
    )
    (result,) = tune.Tuner(train, param_space={"lr": 0.1}, run_config=run).fit()
    assert result.error is None
    assert curve(board(result.path), "again") == [(1, 0.0), (2, 0.0), (3, 1.0), (4, 1.0), (5, 1.0)]


def test_a_restored_experiment_goes_on_with_the_curves(tmp_path, board):
    class Counter(tune.Trainable):
        def setup(self, config):
            self.count = 0

        def step(self):
            self.count += 1
            if self.count == 4 and not (tmp_path / "mended").exists():
                raise ValueError("not yet")
            return {"count": self.count}

        def save_checkpoint(self, directory):
            return {"count": self.count}

        def load_checkpoint(self, checkpoint):
            self.count = checkpoint["count"]

    run = tune.RunConfig(
        name="e",
        storage_path=str(tmp_path),
        executor="inline",
        verbose=0,
        stop={"training_iteration": 6},
        callbacks=[TBXLoggerCallback()],
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=2),
    )
    assert tune.Tuner(Counter, run_config=run).fit().errors
    (tmp_path / "mended").touch()
    (result,) = tune.Tuner.restore(str(tmp_path / "e"), Counter, resume_errored=True).fit()
    assert result.error is None
    files = sorted(glob.glob(f"{result.path}/events.out.tfevents.*"))
    assert len(files) == 2
    assert curve(board(result.path), "ray/tune/count") == [(i, float(i)) for i in range(1, 7)]


def test_what_an_exploit_left_behind_stays(tmp_path, board):
    class Climber(tune.Trainable):
        def setup(self, config):
            self.height = 0.0

        def reset_config(self, config):
            return True

        def step(self):
            self.height += self.config["lr"]
            return {"height": self.height}

        def save_checkpoint(self, directory):
            return {"height": self.height}

        def load_checkpoint(self, checkpoint):
            self.height = checkpoint["height"]

    run = tune.RunConfig(
        name="e", storage_path=str(tmp_path), executor="inline", verbose=0, stop={"training_iteration": 8},
        callbacks=[TBXLoggerCallback()],
    )  # fmt: skip
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=2, hyperparam_mutations={"lr": tune.uniform(0, 1)}
    )
    config = tune.TuneConfig(metric="height", mode="max", num_samples=4, scheduler=scheduler, seed=3)
    grid = tune.Tuner(Climber, param_space={"lr": tune.uniform(0, 1)}, tune_config=config, run_config=run).fit()
    assert any(result.metrics_dataframe["config/lr"].nunique() > 1 for result in grid)  # there were exploits
    for result in grid:
        written = [round(height, 5) for height in result.metrics_dataframe["height"]]
        shown = [round(height, 5) for _, height in curve(board(result.path), "ray/tune/height")]
        assert shown == pytest.approx(written, abs=1e-4)


def test_it_needs_nothing_and_no_result_waits_for_the_disk(tmp_path):
    """No framework is imported; however many results, few writes and no fsync."""
    script = f"""
import os, sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "tensorboardX", "tensorboard", "tensorflow", "google"):
            raise ImportError(name)
sys.meta_path.insert(0, Wall())
from luthier import tune
from luthier.tune.logger import TBXLoggerCallback
synced, opened, was, real = [], [], os.fsync, open
os.fsync = lambda fd: synced.append(os.readlink(f"/proc/self/fd/{{fd}}")) or was(fd)
from luthier.tune.logger import tensorboardx
tensorboardx.open = lambda *a, **k: opened.append(a) or real(*a, **k)
def train(config):
    for i in range(500):
        tune.report({{"loss": i}})
where = {{"name": "e", "storage_path": {str(tmp_path)!r}, "executor": "inline", "verbose": 0}}
run = tune.RunConfig(**where, callbacks=[TBXLoggerCallback()])
tune.Tuner(train, run_config=run).fit()
assert not [path for path in synced if "tfevents" in path], synced
assert 1 <= len(opened) < 20, len(opened)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = glob.glob(f"{tmp_path}/e/*/events.out.tfevents.*")
    assert os.path.getsize(file) > 500 * 30


def test_a_disk_that_refuses_is_told_once_and_nothing_stops(tmp_path, caplog, monkeypatch):
    from luthier.tune.logger import tensorboardx

    def refuse(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensorboardx, "open", refuse, raising=False)

    def train(config):
        for i in range(5):
            tune.report({"loss": i})

    with caplog.at_level(logging.WARNING, "luthier"):
        grid = fitted(train, tmp_path)
    assert not grid.errors and len(grid) == 2
    told = [r.message for r in caplog.records if "TBXLoggerCallback: OSError" in r.message]
    assert len(told) == 1 and "No space left" in told[0]


def test_a_disk_that_is_nearly_full_loses_nothing_and_leaves_no_half_record(tmp_path, board):
    # it takes a part of what is written, without an error; that used to be taken for all of it
    script = (
        "import os, resource, signal, sys\n"
        "from luthier.tune.logger.event_file import event, scalar\n"
        "from luthier.tune.logger.tensorboardx import EventFile\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "file, endless = EventFile(sys.argv[1]), resource.RLIM_INFINITY\n"
        "for i in range(10): file.add(event(1.0, i, [scalar('a', i)]))\n"
        "file.write()\n"
        "size = os.path.getsize(file.path)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, endless))\n"
        "for i in range(10, 40): file.add(event(1.0, i, [scalar('a', i)]))\n"
        "try: file.write(); sys.exit('no error')\n"
        "except OSError: assert os.path.getsize(file.path) == size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (endless, endless))\n"
        "file.add(event(1.0, 40, [scalar('a', 40)]))\n"
        "file.write()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [step for step, _ in curve(board(tmp_path), "a")] == list(range(41))


def test_a_directory_that_cannot_be_written_hinders_no_other_and_is_tried_again(tmp_path, board):
    writer = TBXLoggerCallback()
    bad, good = (Tracked(name, name, "e", str(tmp_path), str(tmp_path / name), {}) for name in ("bad", "good"))
    (tmp_path / "bad").write_text("a file in its place")
    writer._next = math.inf  # nothing is written before it is asked for
    for trial in (bad, good):
        writer.begin(trial, known=False)
        writer.result(trial, Reading(1, 1.0, {"loss": 1}))
    with pytest.raises(OSError, match="bad"):
        writer.flush()
    assert curve(board(tmp_path / "good"), "ray/tune/loss") == [(1, 1.0)]
    with pytest.raises(OSError, match="bad"):
        writer.end(bad, failed=False)
    (tmp_path / "bad").unlink()
    writer.flush()
    assert curve(board(tmp_path / "bad"), "ray/tune/loss") == [(1, 1.0)]


def test_arrays_may_be_parameters_that_change(tmp_path, board):
    writer = TBXLoggerCallback()
    for scale in (1.0, 1.0, 2.0):
        trial = Tracked("t", "t", "e", str(tmp_path), str(tmp_path), {"weights": np.arange(3.0) * scale})
        writer.begin(trial, known=True)
        writer.result(trial, Reading(1 if scale == 1.0 else 2, 1.0, {"loss": scale}))
    writer.flush()
    assert curve(board(tmp_path), "ray/tune/loss") == [(1, 1.0), (2, 2.0)]


def test_parameters_are_numbers_truth_values_and_text():
    assert hparams({"a": np.float64(0.5), "b": np.int64(3), "c": None, "d": [1, 2], "e": True}) == {
        "a": 0.5,
        "b": 3.0,
        "c": "None",
        "d": "[1, 2]",
        "e": True,
    }
    with pytest.raises(BadArgument, match="prefix=3"):
        TBXLoggerCallback(prefix=3)  # type: ignore[arg-type]
