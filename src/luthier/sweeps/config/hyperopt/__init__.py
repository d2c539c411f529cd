"""HyperOpt's functions for search spaces: :mod:`~luthier.sweeps.config.hyperopt.hp`."""

from __future__ import annotations

from luthier.sweeps.config.hyperopt import hp

__all__ = ["hp"]
