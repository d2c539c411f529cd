"""Files that travel between a node and the driver, where the node does not see the experiment's directory."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from luthier.checkpoints.local import fresh, path_of, progress_file
from luthier.core.events import Exited, Reported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.core.terms import Ref
    from luthier.worker.assignment import Assignment

_SIZE = 8  # bytes that say how long a packed checkpoint is
_GROWING = ("stdout", "stderr")  # each attempt adds to them


def packed(paths: Iterable[str], root: str) -> bytes:
    """Return what lies at *paths* as a tar archive with names relative to *root*; what is not there is left out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            if os.path.lexists(path):
                archive.add(path, os.path.relpath(path, root))
    return buffer.getvalue()


def unpacked(luggage: bytes, folder: str) -> None:
    """Write what was :func:`packed` into *folder*."""
    with tarfile.open(fileobj=io.BytesIO(luggage)) as archive:
        archive.extractall(folder, filter="data")


def pack_checkpoint(ref: Ref, experiment_dir: str) -> bytes:
    """Return the checkpoint *ref* and the note on how far its trial had come."""
    path = path_of(ref, experiment_dir)
    return packed([path, progress_file(path)], experiment_dir)


def unpack_checkpoint(luggage: bytes, ref: Ref, experiment_dir: str) -> None:
    """Write the checkpoint *ref* to where it belongs: all of it or nothing."""
    path = path_of(ref, experiment_dir)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    hidden = fresh(os.path.dirname(path))
    try:
        unpacked(luggage, hidden)
        brought = path_of(ref, hidden)
        if os.path.exists(progress_file(brought)):
            os.replace(progress_file(brought), progress_file(path))
        os.rename(brought, path)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def unpack_what_came_with(event: object, luggage: bytes, assignment: Assignment) -> None:
    """Put files to where they belong that came with what a trial says: a checkpoint, at its end all else as well."""
    if isinstance(event, Exited):
        size = int.from_bytes(luggage[:_SIZE], "little")
        unpack_output(luggage[_SIZE + size :], assignment.trial_dir)
        luggage = luggage[_SIZE : _SIZE + size]
    if isinstance(event, Reported | Exited) and event.checkpoint is not None:
        unpack_checkpoint(luggage, event.checkpoint, assignment.experiment_dir)


def pack_end(checkpoint: bytes, trial_dir: str) -> bytes:
    """Return what goes with the end of an attempt: its last *checkpoint*, packed, and its output."""
    return len(checkpoint).to_bytes(_SIZE, "little") + checkpoint + pack_output(trial_dir)


def pack_output(trial_dir: str) -> bytes:
    """Return what a trial has left in its directory beside its checkpoints."""
    with os.scandir(trial_dir) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith((".", "checkpoint_"))]
    return packed([os.path.join(trial_dir, name) for name in names], trial_dir)


def unpack_output(luggage: bytes, trial_dir: str) -> None:
    """Put what a trial has left into its directory here; what it has printed is added to what it had printed before."""
    hidden = fresh(trial_dir)
    try:
        unpacked(luggage, hidden)
        for name in os.listdir(hidden):
            source, target = os.path.join(hidden, name), os.path.join(trial_dir, name)
            if name in _GROWING:
                with open(source, "rb") as new, open(target, "ab") as whole:
                    shutil.copyfileobj(new, whole)
            else:
                if os.path.isdir(target):
                    shutil.rmtree(target)
                os.replace(source, target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
