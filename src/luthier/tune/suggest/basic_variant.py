"""Random and grid search, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.basic_variant import BasicVariantGenerator

__all__ = ["BasicVariantGenerator"]
