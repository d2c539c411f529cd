"""Keras in a trial, as scripts for ``ray.train`` name it."""

from __future__ import annotations

from luthier.tune.integration.keras import ReportCheckpointCallback

__all__ = ["ReportCheckpointCallback"]
