"""Trackers, at the paths that scripts import them from: ``luthier.air.integrations.mlflow`` and its like."""

from __future__ import annotations
