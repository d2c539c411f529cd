"""Ax, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.ax import AxSearch

__all__ = ["AxSearch"]
