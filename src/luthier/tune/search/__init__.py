"""Search algorithms, at Ray Tune's public paths."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from luthier.tune.search.basic_variant import BasicVariantGenerator
from luthier.tune.search.concurrency_limiter import ConcurrencyLimiter
from luthier.tune.search.repeater import Repeater
from luthier.tune.search.searcher import Searcher
from luthier.tune.search.variant_generator import grid_search

__all__ = ["BasicVariantGenerator", "ConcurrencyLimiter", "Repeater", "Searcher", "grid_search"]
_BY_NAME = ("SEARCH_ALG_IMPORT", "create_searcher")  # they know all search algorithms, and are known by them


def __getattr__(name: str) -> Any:
    if name in _BY_NAME:
        return getattr(import_module("luthier.tune.searching"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
