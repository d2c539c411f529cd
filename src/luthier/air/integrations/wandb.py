"""Weights & Biases, at the path that scripts of Ray Tune 2 import it from."""

from __future__ import annotations

from luthier.tune.logger.wandb import WandbLoggerCallback
from luthier.tune.logger.wandb_session import setup_wandb

__all__ = ["WandbLoggerCallback", "setup_wandb"]
