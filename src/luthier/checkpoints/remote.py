"""Checkpoints that lie elsewhere: a marker beside each says which files it has, and that they are all there."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

import msgspec

from luthier.checkpoints.local import fresh, path_of, progress_file
from luthier.core.terms import Ref

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORMAT = 1


class Source(Protocol):
    """Where checkpoints can be fetched from."""

    def read(self, name: str) -> bytes:
        """Return what is in the file *name*; FileNotFoundError where there is none."""

    def get(self, files: Sequence[tuple[str, str]]) -> None:
        """Fetch files, each ``(name, local path)``."""


class _Whole(msgspec.Struct, frozen=True):
    files: dict[str, int]
    format: int = _FORMAT


class Pinned(msgspec.Struct, frozen=True):
    """The files of a checkpoint, held so that deleting the checkpoint does not take them away.

    Attributes:
        ref: the checkpoint.
        folder: the directory that holds them, to be deleted when they are not needed any more.
        files: each file's local path, and its name below the experiment.
        marker: name and content of the marker; it belongs there once all files do.
    """

    ref: Ref
    folder: str
    files: tuple[tuple[str, str], ...]
    marker: tuple[str, bytes]

    def release(self) -> None:
        """Let go of the files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def marker_of(ref: str) -> str:
    """Return the name of the marker that says that the checkpoint *ref* is there wholly.

    >>> marker_of("trial/checkpoint_000003")
    'trial/.checkpoint_000003.whole'
    """
    path = PurePosixPath(ref)
    return str(path.parent / f".{path.name}.whole")


def pin(ref: Ref, experiment_dir: str, folder: str) -> Pinned:
    """Hold the files of the checkpoint *ref* in *folder*, a new directory on the same disk.

    They are linked, which takes no room and next to no time; where the disk has no links, they are copied.

    Raises:
        FileNotFoundError: the checkpoint is gone.
        OSError: its files cannot be held.
    """
    source = path_of(ref, experiment_dir)
    try:
        _link_tree(source, folder)
        files = [
            (
                os.path.join(root, name),
                str(PurePosixPath(ref, *PurePosixPath(os.path.relpath(root, folder)).parts, name)),
            )
            for root, _folders, names in os.walk(folder)
            for name in names
        ]
        prefix = len(ref) + 1
        whole = _Whole({name[prefix:]: os.path.getsize(local) for local, name in files})
        beside = progress_file(source)
        if os.path.isfile(beside):
            held = os.path.join(folder, os.path.basename(beside))
            shutil.copyfile(beside, held)
            files.append((held, progress_file(ref)))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Pinned(ref, folder, tuple(files), (marker_of(ref), msgspec.json.encode(whole)))


def fetch(ref: Ref, experiment_dir: str, source: Source) -> bool:
    """Bring the checkpoint *ref* to where it belongs in *experiment_dir*; return whether it was there to be fetched.

    One that is not wholly there counts as not there.  Nobody ever sees half of one here.
    """
    try:
        whole = msgspec.json.decode(source.read(marker_of(ref)), type=_Whole)
    except (FileNotFoundError, msgspec.DecodeError):
        return False
    target = path_of(ref, experiment_dir)
    trial_dir = os.path.dirname(target)
    os.makedirs(trial_dir, exist_ok=True)
    hidden = fresh(trial_dir)
    try:
        source.get([(f"{ref}/{name}", os.path.join(hidden, *name.split("/"))) for name in whole.files])
        for name, size in whole.files.items():
            if os.path.getsize(os.path.join(hidden, *name.split("/"))) != size:
                return False
        with contextlib.suppress(FileNotFoundError):
            beside = source.read(progress_file(ref))
            with open(progress_file(target), "wb") as file:
                file.write(beside)
        os.rename(hidden, target)
    except FileNotFoundError:
        return False
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return True


def _link_tree(source: str, target: str) -> None:
    os.makedirs(target)
    with os.scandir(source) as entries:
        for entry in entries:
            into = os.path.join(target, entry.name)
            if entry.is_dir():
                _link_tree(entry.path, into)
                continue
            try:
                os.link(entry.path, into)
            except FileNotFoundError:
                raise
            except OSError:  # no links here, or too many
                shutil.copyfile(entry.path, into)
