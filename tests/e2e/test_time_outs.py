"""Trials that hang, through the public face."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import time
from pathlib import Path

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, LuthierError
from luthier.execution import nursery


def hang_once(config):
    """Hang at the third report of the first attempt; go on from the checkpoint in the second."""
    restored = tune.get_checkpoint()
    start = restored.to_dict()["i"] + 1 if restored is not None else 0
    for i in range(start, 4):
        if restored is None and i == 2:
            time.sleep(3600)
        tune.report({"i": i}, checkpoint=tune.Checkpoint.from_dict({"i": i}))


def run(tmp_path, trainable, *, executor="process", reuse=False, samples=1, **failure):
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(reuse_actors=reuse, num_samples=samples),
        run_config=tune.RunConfig(
            name="e", storage_path=tmp_path, verbose=0, executor=executor,
            failure_config=tune.FailureConfig(**failure),
        ),
    ).fit()  # fmt: skip


@pytest.mark.parametrize("reuse", [False, True])
def test_a_hung_trial_goes_on_from_its_last_checkpoint(tmp_path, reuse):
    grid = run(tmp_path, hang_once, report_timeout_s=1.5, max_failures=1, reuse=reuse, samples=2)
    for result in grid:
        assert result.error is None
        assert list(result.metrics_dataframe["i"]) == [0, 1, 2, 3]
        assert list(result.metrics_dataframe["training_iteration"]) == [1, 2, 3, 4]


def test_a_trial_that_takes_too_long_fails_with_the_place_where_it_stood(tmp_path):
    def trainable(config):
        while True:
            tune.report({"i": 0})
            time.sleep(0.01)

    (result,) = run(tmp_path, trainable, trial_timeout_s=0.5)
    assert str(result.error).startswith("not over after 0.5 s (trial_timeout_s)\nThere it stood")
    told = Path(result.path, "error.txt").read_text()
    assert "not over after 0.5 s (trial_timeout_s)" in told
    assert "in trainable" in told


def test_fail_fast_raises_it(tmp_path):
    with pytest.raises(Exception, match=r"no first report for 0\.3 s"):
        run(tmp_path, lambda config: time.sleep(3600), report_timeout_s=0.3, fail_fast="raise")


def test_inline_it_is_said_once_that_nobody_can_end_them(tmp_path, caplog):
    def slow(config):
        time.sleep(0.1)
        return {"i": 0}

    with caplog.at_level(logging.WARNING, "luthier"):
        grid = run(tmp_path, slow, report_timeout_s=0.01, executor="inline", samples=3)
    assert grid.num_errors == 0
    assert [r.message for r in caplog.records if "have no effect on trials that run inline" in r.message] != []
    assert len([r for r in caplog.records if "inline" in r.message]) == 1


def test_an_import_that_never_ends_is_told_and_ends_the_experiment(tmp_path, monkeypatch):
    (tmp_path / "hangs_when_imported.py").write_text(
        "import os, time\n"
        f"if os.getpid() != {os.getpid()}:\n"
        "    time.sleep(3600)\n"
        "def train(config):\n"
        "    return {'i': 1}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    trainable = importlib.import_module("hangs_when_imported").train
    with pytest.raises(
        LuthierError, match=r"not over after 0\.5 s(?s:.*)hangs_when_imported\.py\", line 3 in <module>"
    ):
        run(tmp_path, trainable, start_timeout_s=0.5)
    assert [trial.status for trial in tune.ExperimentAnalysis(tmp_path / "e").trials] == ["RUNNING"]
    monkeypatch.setattr(trainable, "__module__", "__main__")  # it travels by value then: nothing is imported
    grid = tune.Tuner.restore(tmp_path / "e", trainable).fit()
    assert [result.metrics["i"] for result in grid] == [1]


def test_a_template_that_somebody_stopped_does_not_stop_the_experiment(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(nursery, "ANSWER_S", 1.0)

    def trainable(config):
        if config["i"] == 0:
            os.kill(os.getppid(), signal.SIGSTOP)
        return {"i": config["i"]}

    grid = tune.Tuner(
        trainable,
        param_space={"i": tune.grid_search([0, 1, 2])},
        tune_config=tune.TuneConfig(max_concurrent_trials=1),
        run_config=tune.RunConfig(name="e", storage_path=tmp_path, verbose=0, executor="process"),
    ).fit()
    assert [result.metrics["i"] for result in grid] == [0, 1, 2]
    assert "somebody has stopped it by a signal" in caplog.text


@pytest.mark.parametrize("name", ["trial_timeout_s", "report_timeout_s", "start_timeout_s"])
@pytest.mark.parametrize("given", [0, -1.0, float("nan"), "5", True])
def test_what_is_no_time_is_refused(name, given):
    with pytest.raises(BadArgument, match=rf"{name}=.* cannot be used: .*seconds"):
        tune.FailureConfig(**{name: given})
