"""What Ray Tune's pages show about restoring, written anew: a script that does this there does the same here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.past import Past
from tests.tune.restoring import cut, inline, told

EPOCHS = 6


def trainable(config):
    """Save each epoch, and go on from what was saved."""
    start = 0
    checkpoint = tune.get_checkpoint()
    if checkpoint:
        with checkpoint.as_directory() as folder:
            start = json.loads(Path(folder, "state.json").read_text())["epoch"] + 1
    for epoch in range(start, EPOCHS):
        if "delay" in config:
            time.sleep(config["delay"])
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "state.json").write_text(json.dumps({"epoch": epoch}))
            tune.report(
                {"epoch": epoch, "score": config.get("lr", 1) * epoch},
                checkpoint=tune.Checkpoint.from_directory(folder),
            )


# -- "How to enable fault tolerance": after an interruption ------------------------------------------------------------

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from luthier import tune
from tests.tune.test_ray_restore_examples import trainable

tuner = tune.Tuner(
    trainable,
    param_space={{"lr": tune.grid_search([1, 2]), "delay": 0.1}},
    tune_config=tune.TuneConfig(metric="score", mode="max", max_concurrent_trials=1),
    run_config=tune.RunConfig(storage_path=sys.argv[1], name="tune_fault_tolerance_guide", verbose=0),
)
tuner.fit()
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_restore_after_an_interruption(tmp_path, ending):
    (tmp_path / "script.py").write_text(SCRIPT.format(root=str(Path(__file__).parents[2])))
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    env.pop("LUTHIER_EXECUTOR", None)
    process = subprocess.Popen([sys.executable, "script.py", str(tmp_path)], cwd=tmp_path, env=env)
    path = tmp_path / "tune_fault_tolerance_guide"
    deadline = time.monotonic() + 60
    while not any(path.glob("trainable_*_00000/checkpoint_000002")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(ending)
    process.wait(60)
    assert not all(t.status.final for t in Past(path).experiment.trials.values())

    tuner = tune.Tuner.restore(str(path), trainable=trainable, resume_errored=True)
    results = tuner.fit()
    assert results.num_terminated == 2
    assert results.get_best_result().config["lr"] == 2
    for result in results:  # no epoch was trained twice, or left out
        assert list(result.metrics_dataframe["epoch"]) == list(range(EPOCHS))


# -- which trials are resumed ------------------------------------------------------------------------------------------


def fails_at_three(config):
    for epoch in range(EPOCHS):
        if epoch == 3 and config["lr"] == 2 and not Path(config["fixed"]).exists():
            raise RuntimeError("epoch 3")
        tune.report({"epoch": epoch})


@pytest.mark.parametrize(("flags", "epochs"), [({}, 3), ({"resume_errored": True}, 9), ({"restart_errored": True}, 9)])
def test_errored_trials_are_skipped_unless_they_are_asked_for(tmp_path, flags, epochs):
    space = {"lr": tune.grid_search([1, 2]), "fixed": str(tmp_path / "fixed")}
    path = tune.Tuner(fails_at_three, param_space=space, run_config=inline(tmp_path)).fit().experiment_path
    (tmp_path / "fixed").touch()
    results = tune.Tuner.restore(path, trainable=fails_at_three, **flags).fit()
    assert results.num_errors == (0 if flags else 1)
    assert [len(r.metrics_dataframe) for r in results] == [EPOCHS, epochs]  # the finished one did not run again


def test_unfinished_trials_may_be_left(tmp_path):
    whole = tune.Tuner(trainable, param_space={"lr": tune.grid_search([1, 2])}, run_config=inline(tmp_path)).fit()
    path = cut(whole.experiment_path, tmp_path / "killed", 4)
    results = tune.Tuner.restore(str(path), trainable, resume_unfinished=False).fit()
    assert [r.metrics["epoch"] for r in results] == [2, EPOCHS - 1]
    assert results.num_terminated == 2


# -- objects that are given again --------------------------------------------------------------------------------------


class Corpus:
    """Something large that trials look at."""

    def __init__(self, size):
        self.size = size


def looking(config):
    tune.report({"size": config["data"].size, "deep": config["model"]["data"].size})


def test_objects_in_the_space_are_given_again(tmp_path):
    def space():
        return {
            "data": tune.grid_search([Corpus(1), Corpus(2)]),
            "model": {"data": tune.choice([Corpus(3)]), "width": tune.choice([1, 2])},
        }

    whole = tune.Tuner(looking, param_space=space(), run_config=inline(tmp_path)).fit()
    path = cut(whole.experiment_path, tmp_path / "killed", 1)
    results = tune.Tuner.restore(str(path), trainable=looking, param_space=space()).fit()
    assert [(r.metrics["size"], r.metrics["deep"]) for r in results] == [(1, 3), (2, 3)]
    with pytest.raises(BadArgument, match="parameters can neither be added nor taken away"):
        tune.Tuner.restore(str(path), trainable=looking, param_space={**space(), "new": 1})
    nested: dict[str, Any] = space()
    del nested["model"]["width"]
    with pytest.raises(ValueError, match="param_space"):
        tune.Tuner.restore(str(path), trainable=looking, param_space=nested)


def test_a_trainable_of_another_name_is_a_value_error(tmp_path):
    path = tune.Tuner(trainable, run_config=inline(tmp_path)).fit().experiment_path
    with pytest.raises(ValueError, match="trainable"):
        tune.Tuner.restore(path, trainable=looking)


# -- the same script, whether it is there or not -----------------------------------------------------------------------


def test_restore_if_it_can_be_and_else_begin(tmp_path):
    def script():
        path = os.path.join(tmp_path, "e")
        if tune.Tuner.can_restore(path):
            tuner = tune.Tuner.restore(path, trainable=trainable, resume_errored=True)
        else:
            tuner = tune.Tuner(trainable, param_space={"lr": 2}, run_config=inline(tmp_path))
        return tuner.fit()

    first, second = script(), script()
    assert first.experiment_path == second.experiment_path
    assert [list(r.metrics_dataframe["epoch"]) for r in second] == [list(range(EPOCHS))]


def test_results_without_running_anything(tmp_path):
    path = tune.Tuner(trainable, param_space={"lr": 2}, run_config=inline(tmp_path)).fit().experiment_path
    results = tune.Tuner.restore(path, trainable=trainable).get_results()
    assert results[0].metrics["epoch"] == EPOCHS - 1
    with pytest.raises(tune.TuneError, match="no results yet"):
        tune.Tuner(trainable).get_results()


# -- tune.run ----------------------------------------------------------------------------------------------------------


def test_tune_run_resumes_by_name(tmp_path):
    def run(**more):
        return tune.run(
            trainable,
            name="my_experiment",
            config={"lr": tune.grid_search([1, 2])},
            storage_path=str(tmp_path),
            verbose=0,
            executor="inline",
            **more,
        )

    first = run(resume="AUTO")
    second = run(resume="AUTO")
    assert first.experiment_path == second.experiment_path
    assert len(second.trials) == 2
    third = run(resume=True, resume_config=tune.ResumeConfig(finished=tune.ResumeConfig.ResumeType.RESTART))
    assert [len(steps) for steps in told(third.experiment_path, "epoch").values()] == [2 * EPOCHS] * 2


# -- from where a checkpoint left off, with other hyperparameters ------------------------------------------------------


def test_a_new_experiment_may_start_from_an_old_checkpoint(tmp_path):
    def tuned(config):
        checkpoint = tune.Checkpoint(config["from"]) if config["from"] else None
        epoch = 0
        if checkpoint:
            with checkpoint.as_directory() as folder:
                epoch = json.loads(Path(folder, "state.json").read_text())["epoch"] + 1
        tune.report({"epoch": epoch})

    old = tune.Tuner(trainable, param_space={"lr": tune.grid_search([1, 2])}, run_config=inline(tmp_path)).fit()
    best = old.get_best_result(metric="score", mode="max").checkpoint
    space = {"from": best.path, "lr": tune.grid_search([3, 4])}
    new = tune.Tuner(tuned, param_space=space, run_config=inline(tmp_path, name="new")).fit()
    assert [r.metrics["epoch"] for r in new] == [EPOCHS] * 2
