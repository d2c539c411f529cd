"""Classes that are trained, at Ray Tune's path."""

from __future__ import annotations

from luthier.worker.parameters import with_parameters
from luthier.worker.trainable import Trainable

__all__ = ["Trainable", "with_parameters"]
