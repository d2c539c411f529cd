"""Checkpoints, at the path that scripts import them from."""

from __future__ import annotations

from luthier.checkpoints.base import Checkpoint

__all__ = ["Checkpoint"]
