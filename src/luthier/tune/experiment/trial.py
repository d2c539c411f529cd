"""A trial as users see it, at Ray Tune's path."""

from __future__ import annotations

from luthier.tune.trial import Trial

__all__ = ["Trial"]
