"""What scripts import from ``ray.tune.experimental``."""

from __future__ import annotations

from luthier.tune.experimental.output import AirVerbosity

__all__ = ["AirVerbosity"]
