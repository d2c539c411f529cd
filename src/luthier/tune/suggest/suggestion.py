"""Starts for own search algorithms, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search import ConcurrencyLimiter, Searcher

__all__ = ["ConcurrencyLimiter", "Searcher"]
