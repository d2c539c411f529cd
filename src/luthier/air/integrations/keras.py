"""Keras in a trial, at the path that scripts import it from."""

from __future__ import annotations

from luthier.tune.integration.keras import ReportCheckpointCallback

__all__ = ["ReportCheckpointCallback"]
