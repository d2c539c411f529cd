"""Checkpoints on the local disk: kept whole or not at all, and forgotten only inside their experiment."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from pathlib import PurePath
from typing import TYPE_CHECKING

from luthier.checkpoints.copying import copy_tree, sync, sync_tree
from luthier.core.errors import BadArgument
from luthier.core.terms import Ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.checkpoints.base import Checkpoint

SAVING = ".saving_"  # a checkpoint that is being written
FORGOTTEN = ".forgotten_"  # one that is being deleted
_numbers = itertools.count()


def directory_of(index: int) -> str:
    """Return the name of the *index*-th checkpoint's directory.

    >>> directory_of(3)
    'checkpoint_000003'
    """
    return f"checkpoint_{index:06d}"


def progress_file(folder: str) -> str:
    """Return the file beside the checkpoint *folder* that says how far its trial had come.

    >>> progress_file("trial/checkpoint_000003")
    'trial/.checkpoint_000003.json'
    """
    parent, name = os.path.split(folder)
    return os.path.join(parent, f".{name}.json")


def path_of(ref: Ref, experiment_dir: str) -> str:
    """Return where the checkpoint *ref* lies; an absolute path means itself."""
    return os.path.normpath(os.path.join(experiment_dir, ref))


def keep(
    checkpoint: Checkpoint,
    trial_dir: str,
    index: int,
    experiment_dir: str,
    *,
    fsync: bool = False,
    note: Callable[[str], object] = str,
) -> tuple[Ref, int]:
    """Copy *checkpoint* into *trial_dir*; return its ref and the index that it got.

    It is copied into a hidden directory that is renamed when complete, so that nobody ever sees half of one.  What
    already lies at ``checkpoint_<index>`` is left alone, it may be somebody's own: the next free index is taken.

    Args:
        checkpoint: what to copy; it stays where it is.
        trial_dir: the trial's directory, inside *experiment_dir*.
        index: the number that it should get.
        experiment_dir: refs are relative to it.
        fsync: whether to force it to the disk first.
        note: called with the path that it is about to get, to write its :func:`progress_file`: no checkpoint of ours
            is ever without one.

    Raises:
        BadArgument: its directory is not there.
        OSError: it could not be copied; nothing is left behind.
    """
    return _placed(
        lambda hidden: _fill(checkpoint, hidden, fsync=fsync), trial_dir, index, experiment_dir, note, fsync=fsync
    )


def take(
    folder: str,
    trial_dir: str,
    index: int,
    experiment_dir: str,
    *,
    fsync: bool = False,
    note: Callable[[str], object] = str,
) -> tuple[Ref, int]:
    """Move *folder*, which is ours and lies in *trial_dir*, to where a checkpoint belongs; as :func:`keep`."""
    if fsync:
        sync_tree(folder)
    return _placed(lambda hidden: os.rename(folder, hidden), trial_dir, index, experiment_dir, note, fsync=fsync)


def fresh(trial_dir: str) -> str:
    """Return a new hidden directory in *trial_dir*, for a checkpoint to be written into and then :func:`take`-n."""
    hidden = _hidden(trial_dir, SAVING)
    os.mkdir(hidden)
    return hidden


def forget(ref: Ref, experiment_dir: str) -> bool:
    """Delete the checkpoint *ref*; return whether it was there to be deleted.

    What does not lie inside *experiment_dir* is never touched.  It is renamed first: nobody sees half of one.
    """
    root = os.path.realpath(experiment_dir)
    path = path_of(ref, root)
    parent = os.path.realpath(os.path.dirname(path))
    inside = parent != root and parent.startswith(root + os.sep)
    if not inside or os.path.islink(path) or not os.path.isdir(path):
        return False
    hidden = _hidden(parent, FORGOTTEN)
    try:
        os.rename(path, hidden)
    except FileNotFoundError:
        return False
    shutil.rmtree(hidden, ignore_errors=True)
    _unlink(progress_file(path))
    return True


def sweep(trial_dir: str, beyond: int | None = None) -> None:
    """Delete what earlier attempts were writing or deleting when they died.

    Args:
        trial_dir: the trial's directory.
        beyond: complete checkpoints from this index on go too: they were never reported.  Only those that
            :func:`progress_file` tells to be ours.
    """
    for entry in os.scandir(trial_dir):
        if entry.name.startswith((SAVING, FORGOTTEN)):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif beyond is not None and _index_of(entry.name) >= beyond and os.path.isfile(progress_file(entry.path)):
            forget(Ref(f"{os.path.basename(trial_dir)}/{entry.name}"), os.path.dirname(trial_dir))


def _index_of(name: str) -> int:
    """Return the index of the checkpoint's directory *name*; -1 where it is none."""
    digits = name.removeprefix("checkpoint_")
    return int(digits) if digits.isdecimal() and name == directory_of(int(digits)) else -1


# -- inside ----------------------------------------------------------------------------------------------------------


def _fill(checkpoint: Checkpoint, hidden: str, *, fsync: bool) -> None:
    source = checkpoint.local_path
    if source is None:
        checkpoint.to_directory(hidden)
        if fsync:
            sync_tree(hidden)
        return
    if not os.path.isdir(source):
        raise BadArgument("checkpoint", checkpoint, "a checkpoint whose directory exists", "its directory is gone")
    copy_tree(source, hidden, fsync=fsync)


def _placed(
    fill: Callable[[str], object],
    trial_dir: str,
    index: int,
    experiment_dir: str,
    note: Callable[[str], object],
    *,
    fsync: bool,
) -> tuple[Ref, int]:
    hidden, noted = _hidden(trial_dir, SAVING), ""
    try:
        fill(hidden)
        while True:
            path = os.path.join(trial_dir, directory_of(index))
            if not os.path.lexists(path):
                noted = progress_file(path)
                note(path)
                with contextlib.suppress(FileExistsError, NotADirectoryError):
                    os.rename(hidden, path)
                    break
                _unlink(noted)
            index += 1
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        if noted:
            _unlink(noted)
        raise
    if fsync:
        sync(trial_dir)
    return Ref(PurePath(os.path.relpath(path, experiment_dir)).as_posix()), index


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _hidden(folder: str, prefix: str) -> str:
    return os.path.join(folder, f"{prefix}{os.getpid()}_{next(_numbers)}")
