"""How results get elsewhere, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.configs import SyncConfig

__all__ = ["SyncConfig"]
