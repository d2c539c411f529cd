"""PyTorch Lightning in a trial, as scripts for ``ray.train`` name it."""

from __future__ import annotations

from typing import Any

from luthier.tune.integration.pytorch_lightning import TuneReportCheckpointCallback

__all__ = ["RayTrainReportCallback"]


class RayTrainReportCallback(TuneReportCheckpointCallback):
    """Reports all that the module has logged, ``epoch`` and ``step``, with a checkpoint, after each epoch of training.

    >>> RayTrainReportCallback.CHECKPOINT_NAME
    'checkpoint.ckpt'
    """

    CHECKPOINT_NAME = "checkpoint.ckpt"

    def __init__(self) -> None:
        super().__init__(filename=self.CHECKPOINT_NAME, on="train_epoch_end")

    def logged(self, trainer: Any) -> dict[str, float]:
        """Return what can be reported."""
        return super().logged(trainer) | {"epoch": trainer.current_epoch, "step": trainer.global_step}
