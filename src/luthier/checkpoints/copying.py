"""Copying directories, as cheaply as the file system lets us."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

_CHUNK = 1 << 30


def copy_tree(source: str, target: str, *, fsync: bool = False) -> None:
    """Copy what is in *source* into *target*, which is made if need be; links are followed.

    Where the file system can share blocks between files (btrfs, xfs), it does.

    Raises:
        OSError: something cannot be copied, such as a pipe, or a link that leads nowhere.
    """
    _copy_folder(source, target, os.path.realpath(target), fsync=fsync)


def _copy_folder(source: str, target: str, avoid: str, *, fsync: bool) -> None:
    os.makedirs(target, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            into = os.path.join(target, entry.name)
            if entry.is_dir():
                if os.path.realpath(entry.path) != avoid:  # a directory that is copied into itself
                    _copy_folder(entry.path, into, avoid, fsync=fsync)
            else:
                if not entry.is_file():
                    entry.stat()  # a link that leads nowhere
                    raise OSError(errno.EINVAL, "neither a file nor a directory", entry.path)
                _copy_file(entry.path, into, fsync=fsync)
    if fsync:
        sync(target)


def sync(path: str) -> None:
    """Force a file or a directory to the disk."""
    if os.name == "nt" and os.path.isdir(path):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: str) -> None:
    """Force all that is in *folder* to the disk."""
    for root, _folders, files in os.walk(folder):
        for name in files:
            sync(os.path.join(root, name))
        sync(root)


def _copy_file(source: str, target: str, *, fsync: bool) -> None:
    with Path(source).open("rb", buffering=0) as reader, Path(target).open("wb", buffering=0) as writer:
        if not _copied_by_kernel(reader.fileno(), writer.fileno()):
            reader.seek(0)
            writer.seek(0)
            shutil.copyfileobj(reader, writer, 1 << 20)
        if fsync:
            os.fsync(writer.fileno())
    shutil.copymode(source, target)


def _copied_by_kernel(reader: int, writer: int) -> bool:
    """Copy everything inside the kernel where that can be done; say whether it was."""
    copy = getattr(os, "copy_file_range", None)
    left = os.fstat(reader).st_size
    if copy is None or not left:
        return False  # files in /proc and /sys have no size, yet something to read
    try:
        while left > 0:
            copied = copy(reader, writer, min(left, _CHUNK))
            if not copied:
                return False
            left -= copied
    except OSError:  # other file systems, old kernels; a full disk says so again below
        return False
    return True
