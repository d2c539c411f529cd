"""BOHB, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.bohb import TuneBOHB

__all__ = ["TuneBOHB"]
