"""Checkpoints on the local disk: kept whole or not at all, and forgotten only inside their experiment."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import shutil
from pathlib import PurePath
from typing import TYPE_CHECKING

from luthier.checkpoints.copying import copy_tree, sync, sync_tree
from luthier.core.errors import BadArgument, CheckpointFailed
from luthier.core.terms import Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from luthier.checkpoints.base import Checkpoint

SAVING = ".saving_"  # a checkpoint that is being written
FORGOTTEN = ".forgotten_"  # one that is being deleted
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
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
    note: Callable[[str], object] | None = None,
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
        note: called with the path just before the checkpoint is there, to write its :func:`progress_file`: whoever is
            killed right after has left a checkpoint that is known to be ours.

    Raises:
        BadArgument: its directory is not there.
        CheckpointFailed: it could not be copied; nothing is left behind.
    """
    try:
        fill = functools.partial(_fill, checkpoint, fsync=fsync)
        return _placed(fill, trial_dir, index, experiment_dir, fsync=fsync, note=note)
    except OSError as error:
        raise failed(checkpoint.path, trial_dir, error) from None


def failed(source: str, trial_dir: str, error: OSError) -> CheckpointFailed:
    """Return what to say where the checkpoint *source* could not be brought into *trial_dir*."""
    text = f"the checkpoint {source} cannot be kept in {trial_dir}: {error.strerror or error}"
    if error.errno in NO_ROOM:
        with contextlib.suppress(OSError):
            text += f" ({shutil.disk_usage(trial_dir).free / 1e6:.1f} MB free there)"
        text += ". Make room, or let trials keep fewer checkpoints: CheckpointConfig(num_to_keep=...)"
    elif error.filename is not None:
        text += f": {error.filename}"
    return CheckpointFailed(error.errno or 0, f"{text}.")


def take(
    folder: str,
    trial_dir: str,
    index: int,
    experiment_dir: str,
    *,
    fsync: bool = False,
    note: Callable[[str], object] | None = None,
) -> tuple[Ref, int]:
    """Move *folder*, which is ours and lies in *trial_dir*, to where a checkpoint belongs; as :func:`keep`."""
    try:
        if fsync:
            sync_tree(folder)
        fill = functools.partial(os.rename, folder)
        return _placed(fill, trial_dir, index, experiment_dir, fsync=fsync, note=note)
    except OSError as error:
        raise failed(folder, trial_dir, error) from None


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
    with contextlib.suppress(OSError):
        os.unlink(progress_file(path))
    return True


def sweep(trial_dir: str, beyond: int | None = None) -> None:
    """Delete what earlier attempts were writing or deleting when they died.

    Args:
        trial_dir: the trial's directory.
        beyond: complete checkpoints from this index on go too: they were never reported.  Only those that
            :func:`progress_file` tells to be ours.
    """
    for entry in _entries(trial_dir):
        if entry.name.startswith((SAVING, FORGOTTEN)):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif beyond is not None and _index_of(entry.name) >= beyond and os.path.isfile(progress_file(entry.path)):
            forget(Ref(f"{os.path.basename(trial_dir)}/{entry.name}"), os.path.dirname(trial_dir))


def tidy(trial_dir: str, kept: Collection[Ref], *, ended: bool) -> None:
    """Delete what those who died were writing or had decided to delete; for a trial that nobody runs.

    Args:
        trial_dir: the trial's directory.
        kept: the checkpoints that it is to have.  Of the others those go that :func:`progress_file` tells to be ours.
        ended: whether the trial has ended; if not, checkpoints that are newer than those in *kept* stay for
            :func:`successor` and :func:`sweep`.
    """
    named = {ref.rpartition("/")[2] for ref in kept}
    sweep(trial_dir)
    newest = max(map(_index_of, named), default=-1)
    for entry in _entries(trial_dir):
        index = _index_of(entry.name)
        unwanted = index >= 0 and (ended or index < newest) and entry.name not in named
        if unwanted and os.path.isfile(progress_file(entry.path)):
            forget(Ref(f"{os.path.basename(trial_dir)}/{entry.name}"), os.path.dirname(trial_dir))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def successor(ref: Ref, experiment_dir: str) -> Ref | None:
    """Return the newest checkpoint that the trial of *ref* has kept after it and that is whole; None without any.

    For a log that has lost its end: what it names last may be deleted, since there was a newer one.
    """
    folder, name = os.path.split(path_of(ref, experiment_dir))
    try:
        found = [entry for entry in os.listdir(folder) if _index_of(entry) > _index_of(name) >= 0]
    except OSError:
        return None
    ours = [entry for entry in found if os.path.isfile(progress_file(os.path.join(folder, entry)))]
    return Ref(f"{ref.rpartition('/')[0]}/{max(ours)}") if ours else None


def number_of(ref: Ref) -> int:
    """Return the index in the name of checkpoint *ref*; -1 where it has none.

    >>> number_of(Ref("trial/checkpoint_000003"))
    3
    """
    return _index_of(ref.rpartition("/")[2])


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
    *,
    fsync: bool,
    note: Callable[[str], object] | None,
) -> tuple[Ref, int]:
    hidden, noted = _hidden(trial_dir, SAVING), ""
    try:
        fill(hidden)
        while True:
            path = os.path.join(trial_dir, directory_of(index))
            if not os.path.lexists(path):
                if note is not None:
                    noted = progress_file(path)
                    note(path)
                with contextlib.suppress(FileExistsError, NotADirectoryError):
                    os.rename(hidden, path)
                    break
            index += 1
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        if noted:
            with contextlib.suppress(OSError):
                os.unlink(noted)
        raise
    if fsync:
        sync(trial_dir)
    return _ref_of(path, experiment_dir), index


def _ref_of(path: str, experiment_dir: str) -> Ref:
    """Return the ref of what lies at *path*: quickly where that is below *experiment_dir* as it is spelled."""
    root = experiment_dir.rstrip(os.sep) + os.sep
    if path.startswith(root) and f"{os.sep}." not in path[len(root) - 1 :]:
        return Ref(path[len(root) :].replace(os.sep, "/"))
    return Ref(PurePath(os.path.relpath(path, experiment_dir)).as_posix())


def _hidden(folder: str, prefix: str) -> str:
    return os.path.join(folder, f"{prefix}{os.getpid()}_{next(_numbers)}")
