"""Weights & Biases, at the path that scripts of Ray Tune 1.x import it from."""

from __future__ import annotations

from luthier.tune.logger.wandb import WandbLogger, WandbLoggerCallback
from luthier.tune.logger.wandb_session import WandbTrainableMixin, setup_wandb, wandb_mixin

__all__ = ["WandbLogger", "WandbLoggerCallback", "WandbTrainableMixin", "setup_wandb", "wandb_mixin"]
