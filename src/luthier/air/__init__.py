"""What older scripts import from ``ray.air``: ``from luthier import air, tune``.

>>> RunConfig(verbose=0).verbose
0
"""

from __future__ import annotations

from luthier.air import session
from luthier.checkpoints.base import Checkpoint
from luthier.tune.configs import CheckpointConfig, FailureConfig, RunConfig
from luthier.tune.result import Result

__all__ = ["Checkpoint", "CheckpointConfig", "FailureConfig", "Result", "RunConfig", "session"]
