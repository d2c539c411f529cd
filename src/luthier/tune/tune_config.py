"""How to tune, at Ray Tune's path."""

from __future__ import annotations

from luthier.tune.configs import TuneConfig
from luthier.tune.resume_config import ResumeConfig

__all__ = ["ResumeConfig", "TuneConfig"]
