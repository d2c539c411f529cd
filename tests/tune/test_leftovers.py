from __future__ import annotations

import os
import signal
from pathlib import Path

from luthier import tune


class DiesSaving(tune.Trainable):
    """Is killed between publishing its second checkpoint and telling of it; and again where it goes on."""

    def setup(self, config):
        self.done = 0

    def step(self):
        self.done += 1
        return {"done": self.done == 2, "should_checkpoint": True}

    def save_checkpoint(self, checkpoint_dir):
        Path(checkpoint_dir, "state").write_text(str(self.done))
        if self.done == 2:
            trial = Path(checkpoint_dir).parent
            (trial / ".checkpoint_000001.json").write_text("{}")
            Path(checkpoint_dir).rename(trial / "checkpoint_000001")
            os.kill(os.getpid(), signal.SIGKILL)

    def load_checkpoint(self, checkpoint_dir):
        self.done = int(Path(checkpoint_dir, "state").read_text())


def test_a_checkpoint_that_was_published_and_never_told_goes_though_no_attempt_follows(tmp_path):
    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="process")
    (result,) = tune.Tuner(DiesSaving, run_config=run).fit()
    assert result.error is not None
    assert [path.name for path in Path(result.path).glob("checkpoint_*")] == ["checkpoint_000000"]
    assert Path(result.path, "checkpoint_000000", "state").read_text() == "1"


def test_what_a_driver_had_decided_to_delete_goes_when_the_experiment_is_taken_up(tmp_path):
    run = tune.RunConfig(
        storage_path=tmp_path,
        verbose=0,
        executor="inline",
        checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
    )

    def saving(config):
        for step in range(3):
            tune.report({"step": step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

    (result,) = tune.Tuner(saving, run_config=run).fit()
    folder = Path(result.path)
    for name in ("checkpoint_000000", ".saving_1_1", ".forgotten_1_1"):  # as if it had died before it came to that
        (folder / name).mkdir()
    (folder / ".checkpoint_000000.json").write_text("{}")
    tune.Tuner.restore(folder.parent, saving).fit()
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["checkpoint_000002"]
