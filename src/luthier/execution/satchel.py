"""Trials' directories on a node that does not see the experiment's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING

import msgspec

from luthier.checkpoints.local import forget, path_of
from luthier.core.events import Exited, Reported
from luthier.execution.luggage import pack_checkpoint, pack_end, unpack_checkpoint

if TYPE_CHECKING:
    from luthier.core.terms import Ref
    from luthier.worker.assignment import Assignment


class Satchel:
    """A directory of this node where trials work, and what of it the driver has been sent.

    Args:
        marker: a file of the experiment's directory: who sees it sees the directory, and needs no other.

    Attributes:
        folder: the directory; empty where none is needed.
    """

    def __init__(self, marker: str) -> None:
        self.folder = "" if os.path.exists(marker) else tempfile.mkdtemp(prefix="luthier_trials_")
        self._sent: dict[str, Ref] = {}  # by trial: the checkpoint that was sent last

    def unpack(self, assignment: Assignment, luggage: bytes) -> Assignment:
        """Return *assignment* with its directories on this node, and the checkpoint to go on from in them."""
        if not self.folder:
            return assignment
        folder = os.path.join(self.folder, os.path.relpath(assignment.trial_dir, assignment.experiment_dir))
        os.makedirs(folder, exist_ok=True)
        if luggage and assignment.restore is not None:
            if os.path.isdir(path_of(assignment.restore, self.folder)):
                forget(assignment.restore, self.folder)
            unpack_checkpoint(luggage, assignment.restore, self.folder)
        self._sent.pop(assignment.trial, None)
        return msgspec.structs.replace(assignment, trial_dir=folder, experiment_dir=self.folder)

    def pack(self, event: Reported | Exited, trial_dir: str) -> bytes:
        """Return the files that go with *event*, which the driver must have before it heeds it."""
        if not self.folder:
            return b""
        ref = event.checkpoint
        checkpoint = b"" if ref is None else pack_checkpoint(ref, self.folder)
        if ref is not None:
            if event.trial in self._sent:
                forget(self._sent[event.trial], self.folder)  # the driver has it
            self._sent[event.trial] = ref
        if isinstance(event, Reported):
            return checkpoint
        luggage = pack_end(checkpoint, trial_dir)
        shutil.rmtree(trial_dir, ignore_errors=True)
        return luggage

    def close(self) -> None:
        """Remove the directory."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
