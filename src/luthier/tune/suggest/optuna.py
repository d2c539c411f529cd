"""Optuna, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.optuna import OptunaSearch

__all__ = ["OptunaSearch"]
