"""Resources in bundles, at Ray Tune's older path."""

from __future__ import annotations

from luthier.worker.bundles import PlacementGroupFactory

__all__ = ["PlacementGroupFactory"]
