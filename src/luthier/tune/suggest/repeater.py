"""Repeated trials, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.repeater import Repeater

__all__ = ["Repeater"]
