"""Configs, at the path that scripts import them from."""

from __future__ import annotations

from luthier.tune.configs import CheckpointConfig, FailureConfig, RunConfig

__all__ = ["CheckpointConfig", "FailureConfig", "RunConfig"]
