"""What an earlier driver left half done is done by the next."""

from __future__ import annotations

import os

import pytest

from luthier import tune


def test_what_was_to_be_forgotten_when_the_driver_died_is_forgotten_by_the_next(tmp_path, monkeypatch):
    def trainable(config):
        (tmp_path / "saved").mkdir(exist_ok=True)
        for step in range(4):
            tune.report({"step": step}, checkpoint=tune.Checkpoint.from_directory(tmp_path / "saved"))

    class Death(BaseException):
        pass

    def die(ref, directory):
        raise Death

    config = tune.CheckpointConfig(num_to_keep=1)
    run_config = tune.RunConfig(name="e", storage_path=tmp_path, verbose=0, executor="inline", checkpoint_config=config)
    with monkeypatch.context() as patch:
        patch.setattr("luthier.execution.inline.forget", die)
        with pytest.raises(Death):
            tune.Tuner(trainable, run_config=run_config).fit()
    (trial,) = (p for p in (tmp_path / "e").iterdir() if p.name.startswith("trainable"))
    assert sorted(p.name for p in trial.glob("checkpoint_*")) == ["checkpoint_000000", "checkpoint_000001"]
    (result,) = tune.Tuner.restore(tmp_path / "e", trainable).fit()
    assert [p.name for p in trial.glob("checkpoint_*")] == [os.path.basename(result.checkpoint.path)]
    assert sorted(p.name for p in trial.glob(".*")) == [f".{os.path.basename(result.checkpoint.path)}.json"]
