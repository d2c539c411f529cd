"""Search algorithms, at Ray Tune's public paths."""

from __future__ import annotations

from luthier.tune.search.basic_variant import BasicVariantGenerator
from luthier.tune.search.concurrency_limiter import ConcurrencyLimiter
from luthier.tune.search.repeater import Repeater
from luthier.tune.search.searcher import Searcher

__all__ = ["BasicVariantGenerator", "ConcurrencyLimiter", "Repeater", "Searcher"]
