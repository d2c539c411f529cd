"""ZOOpt, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.zoopt import ZOOptSearch

__all__ = ["ZOOptSearch"]
