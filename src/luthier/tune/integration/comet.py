"""Comet, at the path that scripts of Ray Tune 2.0 import it from."""

from __future__ import annotations

from luthier.tune.logger.comet import CometLoggerCallback

__all__ = ["CometLoggerCallback"]
