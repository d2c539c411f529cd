"""Comet, at the path that scripts import it from."""

from __future__ import annotations

from luthier.tune.logger.comet import CometLoggerCallback

__all__ = ["CometLoggerCallback"]
