# W&B from users' side: whole experiments, with the real client offline; its files are read back.
from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from luthier import tune
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.tune.integration.wandb import (
    WandbLogger,
    WandbLoggerCallback,
    WandbTrainableMixin,
    setup_wandb,
    wandb_mixin,
)
from luthier.tune.logger import DEFAULT_LOGGERS, Logger
from tests.tune.logger.wandb_file import runs_below

KEY = "d4" * 20


@pytest.fixture(autouse=True)
def _offline(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "elsewhere" / "key"
    path.parent.mkdir()
    path.write_text(KEY + "\n")
    return path


def files_with_the_key(*directories) -> list[str]:
    paths = [path for directory in directories for path in Path(directory).glob("**/*") if path.is_file()]
    assert paths
    return [str(path) for path in paths if KEY.encode() in path.read_bytes()]


class Odd:
    def __str__(self):
        raise RuntimeError("no")


class Eyes(tune.Callback):
    """Notes the processes that tell W&B, while trials run: ours, and the services of the client."""

    def __init__(self):
        self.senders: set[psutil.Process] = set()
        self.services: set[psutil.Process] = set()

    def on_trial_complete(self, iteration, trials, trial, **info):
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.name() == "wandb-core":
                    self.services.add(process)
                elif process.ppid() == os.getpid() and "luthier.callbacks.wandb.sender" in process.cmdline():
                    self.senders.add(process)


def objective(config):
    for i in range(3):
        tune.report(
            {"loss": config["x"] * i, "nested": {"accuracy": i / 2}, "phase": "warm", "secret": 1, "hidden": {"a": 1}}
        )
    if config["x"] == 2:
        raise ValueError("as planned")


def test_every_metric_config_and_summary_arrives_by_one_process_and_the_key_stays_off_the_disk(tmp_path):
    eyes = Eyes()
    logger = WandbLoggerCallback(
        project="p", api_key=KEY, excludes=["secret", "hidden"], tags=["a"], job_type="search", upload_timeout=60
    )
    odd = {
        "function": len,
        "class": Path,
        "tuple": (1, 2),
        "set": {3},
        "array": np.arange(3),
        "nan": float("nan"),
        7: 8,
    }
    results = tune.Tuner(
        objective,
        param_space={"x": tune.grid_search([1, 2, 3]), "odd": odd, "strange": Odd()},  # ray#10631
        run_config=tune.RunConfig(name="e", verbose=0, callbacks=[logger, eyes]),
    ).fit()

    runs = sorted(runs_below(results.experiment_path), key=lambda run: run.config["x"])
    assert [run.config["x"] for run in runs] == [1, 2, 3]
    for run, result in zip(runs, results, strict=True):
        assert run.column("loss") == [0, result.config["x"], 2 * result.config["x"]]
        assert run.column("nested/accuracy") == [0, 0.5, 1]
        assert run.column("phase") == ["warm"] * 3
        assert run.column("training_iteration") == run.column("_step") == [1, 2, 3]
        assert run.summary["loss"] == 2 * result.config["x"]
        assert run.exit_code == (1 if result.error else 0)
        told = {name for row in run.rows for name in row}
        assert not told & {"secret", "hidden/a", "config", "done", "trial_id", "pid", "date"}
        assert (run.project, run.group, run.tags, run.job_type) == ("p", "e", ["a"], "search")
        assert run.name == f"objective_{run.config['trial_id']}"
        assert run.run_id.startswith(run.config["trial_id"])
        assert run.config["hostname"]
        shown = run.config["odd"]
        assert (shown["tuple"], shown["set"], shown["array"], shown["7"]) == ([1, 2], [3], [0, 1, 2], 8)
        assert shown["nan"] == "nan"
        assert "len" in shown["function"]
        assert "Path" in shown["class"]
        assert "Odd" in run.config["strange"]
    assert len({run.run_id for run in runs}) == 3

    assert len(eyes.senders) == 1  # Ray: one for each trial
    assert len(eyes.services) <= 1
    assert not [p for p in eyes.senders | eyes.services if p.is_running()]  # ray#47985: some were left
    assert not [thread for thread in threading.enumerate() if "wandb" in thread.name]
    assert not files_with_the_key(tmp_path)
    assert KEY not in repr(logger)


def test_the_page_s_logger_example(tmp_path, key_file):
    # https://docs.wandb.ai/guides/integrations/ray-tune: WandbLogger, with another path and something to train
    def train_fn(config):
        for _ in range(2):
            tune.report(loss=config["parameter_1"] + config["parameter_2"])

    with pytest.warns(DeprecationWarning, match="loss=0.1"):
        analysis = tune.run(
            train_fn,
            config={
                # define search space here
                "parameter_1": tune.choice([1, 2, 3]),
                "parameter_2": tune.choice([4, 5, 6]),
                # wandb configuration
                "wandb": {
                    "project": "Optimization_Project",
                    "api_key_file": str(key_file),
                    "log_config": True,
                },
            },
            loggers=DEFAULT_LOGGERS + (WandbLogger,),  # noqa: RUF005 (as printed)
            name="e", verbose=0, executor="inline",
        )  # fmt: skip
    (run,) = runs_below(analysis.experiment_path)
    (trial,) = analysis.trials
    assert (run.project, run.group, run.name) == ("Optimization_Project", "e", str(trial))
    total = trial.config["parameter_1"] + trial.config["parameter_2"]
    assert run.column("loss") == [total, total]
    assert run.column("config/parameter_1") == [trial.config["parameter_1"]] * 2
    assert {"parameter_1", "parameter_2"} <= run.config.keys()
    assert "wandb" not in run.config
    assert Path(trial.logdir, "result.json").exists()
    assert not files_with_the_key(analysis.experiment_path)


def test_the_page_s_mixin_example(tmp_path, key_file):
    # As printed, but for `self.config`, which a function has not: it is `config` here.
    import wandb

    @wandb_mixin
    def train_fn(config):
        for _ in range(10):
            loss = config["a"] + config["b"]
            wandb.log({"loss": loss})
            tune.report(loss=loss)

    analysis = tune.run(
        train_fn,
        config={
            # define search space here
            "a": tune.choice([1, 2, 3]),
            "b": tune.choice([4, 5, 6]),
            # wandb configuration
            "wandb": {"project": "Optimization_Project", "api_key_file": str(key_file)},
        },
        name="e", verbose=0, num_samples=2,
    )  # fmt: skip
    runs = {run.config["a"] * 10 + run.config["b"]: run for run in runs_below(analysis.experiment_path)}
    for trial in analysis.trials:
        run = runs[trial.config["a"] * 10 + trial.config["b"]]
        assert run.column("loss") == [trial.config["a"] + trial.config["b"]] * 10
        assert (run.project, run.group, run.exit_code) == ("Optimization_Project", "e", 0)
    assert {run.name for run in runs_below(analysis.experiment_path)} == {str(trial) for trial in analysis.trials}
    assert not files_with_the_key(analysis.experiment_path)


def test_a_key_in_the_search_space_reaches_trials_and_no_disk(tmp_path):
    @wandb_mixin
    def train(config):
        assert "api_key" not in config["wandb"]
        assert os.environ["WANDB_API_KEY"].startswith("d4d4")  # its name alone would take the key along
        return {"loss": 1}

    space = {"wandb": {"project": "p", "api_key": KEY, "group": "mine", "name": "own"}, "x": tune.grid_search([1])}
    results = tune.Tuner(train, param_space=space, run_config=tune.RunConfig(name="e", verbose=0)).fit()
    assert not results.errors
    (run,) = runs_below(results.experiment_path)
    assert (run.group, run.name) == ("mine", "own")
    assert "wandb" not in run.config
    assert not files_with_the_key(tmp_path)
    assert space["wandb"]["api_key"] == KEY  # the user's own stays as it was
    tune.Tuner.restore(results.experiment_path, train, param_space=space)  # the key is no parameter that is missing


def test_a_key_among_the_client_s_settings_reaches_no_disk_either(tmp_path):
    import wandb

    loggers = [WandbLoggerCallback("p", settings=own) for own in ({"api_key": KEY}, wandb.Settings(api_key=KEY))]
    assert [logger._key for logger in loggers] == [KEY, KEY]

    @wandb_mixin
    def train(config):
        assert config["wandb"]["settings"] == {"silent": True}
        assert os.environ["WANDB_API_KEY"].startswith("d4d4")
        return {"loss": 1}

    space = {"wandb": {"project": "p", "settings": {"api_key": KEY, "silent": True}}}
    run_config = tune.RunConfig(name="e", verbose=0, callbacks=loggers)
    results = tune.Tuner(train, param_space=space, run_config=run_config).fit()
    assert not results.errors
    assert not files_with_the_key(tmp_path)


def forking(config):
    import multiprocessing

    import wandb

    with multiprocessing.get_context("fork").Pool(1) as pool:
        wandb.log({"forked": pool.apply(abs, (-3,))})
    tune.report({"loss": 1})


@wandb_mixin
class Training(tune.Trainable):
    wandb: Any

    def setup(self, config):
        super(Training, self).setup(config)  # noqa: UP008 (as older code has it)
        self.value = 0

    def step(self):
        self.value += 1
        self.wandb.log({"value": self.value})
        return {"value": self.value, "done": self.value == 2}

    def reset_config(self, new_config):
        self.value = 0
        return True


class Mixed(WandbTrainableMixin, tune.Trainable):
    def step(self):
        if self.config["fails"]:
            raise ValueError("as planned")
        self.wandb.log({"value": 1})
        return {"value": 1, "done": True}


def test_a_trial_with_a_run_may_fork(tmp_path):
    # ray#30165: that hung
    space = {"wandb": {"project": "p"}, "x": tune.grid_search([1, 2])}
    results = tune.Tuner(wandb_mixin(forking), param_space=space, run_config=tune.RunConfig(name="e", verbose=0)).fit()
    assert not results.errors
    assert [run.column("forked") for run in runs_below(results.experiment_path)] == [[3], [3]]


def test_classes_have_runs_too_one_for_each_trial_of_a_process(tmp_path):
    space = {"wandb": {"project": "p"}, "x": tune.grid_search([1, 2, 3])}
    config = tune.TuneConfig(reuse_actors=True, max_concurrent_trials=1)
    run_config = tune.RunConfig(name="e", verbose=0)
    results = tune.Tuner(Training, param_space=space, tune_config=config, run_config=run_config).fit()
    runs = runs_below(results.experiment_path)
    assert [(run.config["x"], run.column("value"), run.exit_code) for run in runs] == [
        (1, [1, 2], 0), (2, [1, 2], 0), (3, [1, 2], 0),
    ]  # fmt: skip


def test_a_run_fails_with_its_trial(tmp_path):
    space = {"wandb": {"project": "p"}, "fails": tune.grid_search([True, False])}
    results = tune.Tuner(Mixed, param_space=space, run_config=tune.RunConfig(name="e", verbose=0)).fit()
    found = {run.config["fails"]: (run.column("value"), run.exit_code) for run in runs_below(results.experiment_path)}
    assert found == {True: ([], 1), False: ([1], 0)}


def waiting(config):
    checkpoint = tune.get_checkpoint()
    start = 2 if checkpoint else 0
    for i in range(start, 4):
        tune.report({"i": i}, checkpoint=tune.Checkpoint.from_dict({"i": i}))
        if i == 1:
            threading.Event().wait(60)


class StopAtTwo(tune.Callback):
    def on_trial_result(self, iteration, trials, trial, result, **info):
        if result["training_iteration"] == 2:
            os.kill(os.getpid(), 2)


def test_an_interrupted_experiment_closes_its_runs_and_a_restored_one_goes_on_with_them(tmp_path):
    logger = WandbLoggerCallback(project="p", api_key=KEY, upload_timeout=60)
    run_config = tune.RunConfig(name="e", verbose=0, callbacks=[logger, StopAtTwo()], grace_s=0.1)
    results = tune.Tuner(waiting, param_space={"x": 1}, run_config=run_config).fit()
    (first,) = runs_below(results.experiment_path)
    assert (first.column("i"), first.preempting) == ([0, 1], True)

    restored = tune.Tuner.restore(results.experiment_path, waiting).fit()  # the callback was kept, without its key
    assert not restored.errors
    first, second = runs_below(results.experiment_path)
    assert first.run_id == second.run_id
    assert (second.column("i"), second.column("_step"), second.exit_code) == ([2, 3], [3, 4], 0)
    assert not second.preempting
    assert not files_with_the_key(tmp_path)


def test_loggers_of_ones_own_are_made_for_each_trial(tmp_path):
    told: list[tuple[Any, ...]] = []

    class Lines(Logger):
        def _init(self):
            told.append(("made", self.config["x"], os.path.isdir(self.logdir)))

        def on_result(self, result):
            told.append((self.trial.trial_id, result["loss"]))

        def close(self):
            told.append(("closed", self.config["x"]))

    analysis = tune.run(
        lambda config: {"loss": config["x"]}, config={"x": tune.grid_search([5, 6])}, loggers=[*DEFAULT_LOGGERS, Lines],
        verbose=0, executor="inline",
    )  # fmt: skip
    one, two = (trial.trial_id for trial in analysis.trials)
    assert told == [("made", 5, True), (one, 5), ("closed", 5), ("made", 6, True), (two, 6), ("closed", 6)]


def test_what_cannot_be_used_is_said_before_anything_starts(tmp_path, key_file, monkeypatch):
    with pytest.raises(BadArgument, match="project"):
        WandbLoggerCallback()
    with pytest.raises(BadArgument, match="one of the two"):
        WandbLoggerCallback("p", api_key=KEY, api_key_file=key_file)
    with pytest.raises(BadArgument, match="No such file"):
        WandbLoggerCallback("p", api_key_file=tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    unfit: list[Any] = [tmp_path / "binary", tmp_path, 5]
    for given in unfit:
        with pytest.raises(BadArgument, match="api_key_file"):
            WandbLoggerCallback("p", api_key_file=given)
    with pytest.raises(BadArgument, match="it is a key") as mistaken:
        WandbLoggerCallback("p", api_key_file=KEY)
    assert KEY not in str(mistaken.value)
    with pytest.raises(BadArgument, match="mode='bogus'"):
        WandbLoggerCallback("p", mode="bogus")
    unsent: list[dict[str, Any]] = [{"notes": threading.Lock()}, {"image_kwargs": {"mode": threading.Lock()}}]
    for more in unsent:  # a traceback of setup's, once it ran
        (name,) = more
        with pytest.raises(BadArgument, match=f"^{name}=.*cannot be sent there: TypeError.*pickle"):
            WandbLoggerCallback("p", **more)
    with pytest.raises(BadArgument, match="excludes"):
        WandbLoggerCallback("p", excludes="loss")
    with pytest.raises(BadArgument, match="upload_timeout"):
        WandbLoggerCallback("p", upload_timeout=0)
    with pytest.raises(BadArgument, match='"wandb"'):
        tune.run(objective, config={"x": 1}, loggers=[WandbLogger])
    with pytest.raises(BadArgument, match=r"loggers\[0\]"):
        tune.run(objective, config={"x": 1}, loggers=[print])
    monkeypatch.setenv("WANDB_PROJECT", "q")
    assert WandbLoggerCallback().project == "q"


@pytest.mark.parametrize(
    ("use", "who"),
    [
        (lambda: WandbLoggerCallback("p"), "WandbLoggerCallback"),
        (lambda: WandbLogger.callback({"wandb": {"project": "p"}}), "WandbLogger"),
        (lambda: setup_wandb({}), "setup_wandb"),
        (lambda: wandb_mixin(objective), "wandb_mixin"),
    ],
)
def test_a_missing_client_is_one_line(use, who, monkeypatch, tmp_path):
    (tmp_path / "wandb").mkdir()  # where runs of other scripts lie
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(MissingLibrary, match=rf"^{who} needs wandb: pip install 'luthier\[wandb\]'$"):
        use()


def test_a_hook_that_changes_nothing_at_wandb_is_told_of(tmp_path, caplog):
    class Mine(WandbLoggerCallback):
        def log_trial_result(self, iteration, trial, result):
            result["mine"] = 1

    run = tune.RunConfig(storage_path=str(tmp_path), verbose=0, executor="inline", callbacks=[Mine("p")])
    tune.Tuner(objective, param_space={"x": 1}, run_config=run).fit()
    assert caplog.text.count("Mine.log_trial_result is called, and W&B is not told by it") == 1


def test_importing_luthier_s_side_imports_no_client():
    script = (
        "import sys; import luthier.air.integrations.wandb, luthier.tune.integration.wandb\n"
        "assert 'wandb' not in sys.modules"
    )
    root = str(Path(__file__).parents[3] / "src")
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": root}, check=True)
