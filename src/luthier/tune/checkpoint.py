"""Checkpoints under Ray Tune's name."""

from __future__ import annotations

from luthier.checkpoints.base import Checkpoint

__all__ = ["Checkpoint"]
