"""Search algorithms, at Ray Tune's public paths."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from luthier.tune.search.basic_variant import BasicVariantGenerator
from luthier.tune.search.concurrency_limiter import ConcurrencyLimiter
from luthier.tune.search.repeater import Repeater
from luthier.tune.search.searcher import Searcher

if TYPE_CHECKING:
    from collections.abc import Callable

    create_searcher: Callable[..., object]

__all__ = ["BasicVariantGenerator", "ConcurrencyLimiter", "Repeater", "Searcher", "create_searcher"]


def __getattr__(name: str) -> object:
    if name == "create_searcher":  # which knows all that is in here
        return import_module("luthier.tune.searching").create_searcher
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
