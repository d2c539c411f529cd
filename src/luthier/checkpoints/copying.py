"""Copying directories, as cheaply as the file system lets us."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 30
_BUFFER = 1 << 20
_CLONE = 0x40049409  # FICLONE, as linux/fs.h has it
_FINAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # no other way of copying helps against these
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)


def copy_tree(source: str, target: str, *, fsync: bool = False) -> None:
    """Copy what is in *source* into *target*, which is made if need be; links are followed.

    Where the file system can share blocks between files (btrfs, xfs), it does; elsewhere the kernel copies.

    Raises:
        OSError: something cannot be copied, such as a pipe, or a link that leads nowhere.
    """
    _copy_folder(source, target, target, fsync=fsync)


def _copy_folder(source: str, target: str, whole: str, *, fsync: bool) -> None:
    try:
        os.mkdir(target)
    except (FileExistsError, FileNotFoundError):
        os.makedirs(target, exist_ok=True)
    avoid = ""
    with os.scandir(source) as entries:
        for entry in entries:
            into = f"{target}{os.sep}{entry.name}"
            if entry.is_dir():
                avoid = avoid or os.path.realpath(whole)
                if os.path.realpath(entry.path) != avoid:  # a directory that is copied into itself
                    _copy_folder(entry.path, into, whole, fsync=fsync)
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
    if not hasattr(os, "fchmod"):  # Windows
        shutil.copy(source, target)
        if fsync:
            sync(target)
        return
    reader = os.open(source, _READ)
    try:
        found = os.fstat(reader)
        writer = os.open(target, _CREATE, 0o600)
        try:
            _copy_content(reader, writer, found.st_size)
            os.fchmod(writer, stat.S_IMODE(found.st_mode))
            if fsync:
                os.fsync(writer)
        except OSError as error:
            error.filename, error.filename2 = error.filename or source, error.filename2 or target
            raise
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_content(reader: int, writer: int, size: int) -> None:
    """Copy all of a file by the first way that works: shared blocks, then inside the kernel, then through here."""
    if size:  # files in /proc and /sys have no size, yet something to read
        for way in _WAYS:
            try:
                if way(reader, writer, size):
                    return
            except OSError as error:
                if error.errno in _FINAL:
                    raise
            os.lseek(reader, 0, os.SEEK_SET)
            if os.lseek(writer, 0, os.SEEK_CUR):
                os.lseek(writer, 0, os.SEEK_SET)
                os.ftruncate(writer, 0)  # only then: ext4 writes a file that was cut to the disk when it is closed
    while chunk := os.read(reader, _BUFFER):
        view = memoryview(chunk)
        while view:
            view = view[os.write(writer, view) :]


def _cloned(reader: int, writer: int, _size: int) -> bool:
    import fcntl

    fcntl.ioctl(writer, _CLONE, reader)
    return True


def _copied_by_range(reader: int, writer: int, size: int) -> bool:
    if not hasattr(os, "copy_file_range"):  # a Python that was built for an old system
        return False
    return _in_chunks(lambda count, _at: os.copy_file_range(reader, writer, count), size)


def _sent(reader: int, writer: int, size: int) -> bool:
    return _in_chunks(lambda count, at: os.sendfile(writer, reader, at, count), size)


def _in_chunks(copy: Callable[[int, int], int], size: int) -> bool:
    done = 0
    while done < size:
        copied = copy(min(size - done, _CHUNK), done)
        if not copied:
            return False
        done += copied
    return True


_WAYS: list[Callable[[int, int, int], bool]] = [_cloned, _copied_by_range, _sent] if sys.platform == "linux" else []
