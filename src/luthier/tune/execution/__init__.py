"""What scripts import from ``ray.tune.execution``: bundles of resources, and the controller's type."""

from __future__ import annotations

from luthier.tune.adapt.controller import TuneController
from luthier.worker.bundles import PlacementGroupFactory

__all__ = ["PlacementGroupFactory", "TuneController"]
