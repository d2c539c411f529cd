"""Search algorithms, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search import BasicVariantGenerator, ConcurrencyLimiter, Repeater, Searcher
from luthier.tune.searching import create_searcher

__all__ = ["BasicVariantGenerator", "ConcurrencyLimiter", "Repeater", "Searcher", "create_searcher"]
