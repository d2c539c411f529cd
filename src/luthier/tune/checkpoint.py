"""Checkpoints under Ray Tune's name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from luthier.checkpoints.base import Checkpoint
from luthier.checkpoints.local import path_of
from luthier.core.errors import BadArgument
from luthier.tune.staging import remote_of

if TYPE_CHECKING:
    from luthier.core.terms import Ref

__all__ = ["Checkpoint", "checkpoint_of"]


def checkpoint_of(experiment_dir: str, ref: Ref) -> Checkpoint:
    """Return the checkpoint *ref* where it is: on this machine if it is here, else where the experiment lives."""
    path = path_of(ref, experiment_dir)
    if not os.path.isdir(path):
        try:
            remote = remote_of(experiment_dir)
        except BadArgument:  # nobody has said how to get there
            remote = None
        if remote is not None:
            return Checkpoint(remote.path(ref), remote.filesystem)
    return Checkpoint(path)
