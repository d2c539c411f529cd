"""The same under Ray Tune's longer path."""

from __future__ import annotations

from luthier.tune.utils import *  # noqa: F403 (the same)
