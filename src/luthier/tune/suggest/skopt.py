"""scikit-optimize, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.skopt import SkOptSearch

__all__ = ["SkOptSearch"]
