"""A trial goes on from its last checkpoint; where that cannot be, from the one before; else from the start."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from luthier import tune
from luthier.checkpoints.base import DICT_FILE


def gone(newest_first):
    shutil.rmtree(newest_first[0])


def cut(newest_first):
    file = newest_first[0] / DICT_FILE
    file.write_bytes(file.read_bytes()[:3])


def all_gone(newest_first):
    for folder in newest_first:
        shutil.rmtree(folder)


HARMS = {f.__name__: f for f in (gone, cut, all_gone)}
LOST = {"gone": "is gone", "cut": "is damaged (its pickled dict was cut off)", "all_gone": "is gone"}


def fail_once(config):
    restored = tune.get_checkpoint()
    done = restored.to_dict()["done"] if restored is not None else 0
    marker = Path(tune.get_context().get_trial_dir() or "") / "failed"
    for i in range(done, 4):
        tune.report({"count": i + 1, "from": done}, checkpoint=tune.Checkpoint.from_dict({"done": i + 1}))
        if i == 2 and not marker.exists():
            marker.touch()
            HARMS[config["harm"]](sorted(marker.parent.glob("checkpoint_*"), reverse=True))
            raise RuntimeError("once")


@pytest.mark.parametrize("executor", ["process", "inline"])
@pytest.mark.parametrize("keep", [None, 1])
@pytest.mark.parametrize("harm", HARMS)
def test_a_checkpoint_that_cannot_be_loaded_costs_no_more_than_it_must(tmp_path, caplog, executor, keep, harm):
    with caplog.at_level(logging.WARNING, "luthier"):
        (result,) = tune.Tuner(
            fail_once,
            param_space={"harm": harm},
            run_config=tune.RunConfig(
                storage_path=tmp_path, verbose=0, executor=executor,
                failure_config=tune.FailureConfig(max_failures=1),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=keep),
            ),
        ).fit()  # fmt: skip
    assert result.error is None
    start = 2 if keep is None and harm != "all_gone" else 0
    frame = result.metrics_dataframe
    assert list(frame["count"]) == [1, 2, 3, *range(start + 1, 5)]
    assert list(frame["training_iteration"]) == list(frame["count"])
    (said,) = (r.getMessage() for r in caplog.records if "checkpoint_000002" in r.getMessage())
    assert f"checkpoint_000002 {LOST[harm]}" in said
    assert ("goes on from the one before, " in said and "checkpoint_000001." in said) == (start == 2)
    assert ("it begins again from the start" in said) == (start == 0)
