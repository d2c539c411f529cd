"""HyperOpt, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.hyperopt import HyperOptSearch

__all__ = ["HyperOptSearch"]
