"""One writer per log."""

from __future__ import annotations

import errno
import os
import time
import warnings
from typing import TYPE_CHECKING

import msgspec

from luthier.core.errors import Conflict, StoreFailed

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE_S = 0.2  # somebody may be looking who holds the lock, which takes it for a moment
_FAR = 1 << 30  # Windows locks bytes, and locked bytes cannot be read: lock one that is not there
_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})


class Holder(msgspec.Struct, frozen=True):
    """Who writes a log: process, host, and since when (unix seconds)."""

    pid: int = 0
    host: str = ""
    since: float = 0.0

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {since}"


class WriterLock:
    """An exclusive lock on a file, held until released or until this process dies.

    The kernel holds it, not the file's existence: the lock of a dead process is no obstacle.  The file stays; what is
    written in it only tells who holds the lock.  A child made by exec does not have the lock; a child made by fork
    shares it until it closes it, which :meth:`forget` does.

    Raises:
        Conflict: somebody holds it (this process too, through another object); the text says who.
        StoreFailed: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise StoreFailed(f"{path} cannot be opened for writing: {error.strerror}.") from error
        deadline = time.monotonic() + _PATIENCE_S
        while not _try_lock(self._fd, path):
            if time.monotonic() > deadline:
                holder = _told(self._fd)
                os.close(self._fd)
                raise Conflict(
                    f"{path.parent} is being written by {holder}: wait for it to end, stop it, or give the "
                    "experiment another name."
                )
            time.sleep(0.01)
        import socket

        words = msgspec.json.encode(Holder(os.getpid(), socket.gethostname(), time.time()))
        try:
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, words + b"\n")
        except OSError:  # a full disk: the lock holds all the same
            pass

    def release(self) -> None:
        """Let others write."""
        if self._fd >= 0:
            _unlock(self._fd)
            os.close(self._fd)
            self._fd = -1

    def forget(self) -> None:
        """Close the file without giving the lock up for whoever shares it: for a forked child."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def holder(path: Path) -> Holder | None:
    """Return who holds the lock on *path*, or None if nobody does."""
    try:
        fd = os.open(path, os.O_RDONLY if fcntl is not None else os.O_RDWR)
    except OSError:
        return None
    try:
        if _try_lock(fd, path, shared=True):
            _unlock(fd)
            return None
        return _told(fd)
    finally:
        os.close(fd)


def _told(fd: int) -> Holder:
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        return msgspec.json.decode(os.read(fd, 4096), type=Holder)
    except (OSError, ValueError):
        return Holder()


def _try_lock(fd: int, path: Path, *, shared: bool = False) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        else:
            _windows(fd, lock=True)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
        if not shared:
            warnings.warn(
                f"{path.parent} is on a file system without locks ({error.strerror}): nothing keeps a second process "
                "from writing there.",
                stacklevel=4,
            )
    return True


def _unlock(fd: int) -> None:
    try:
        if fcntl is not None:
            fcntl.flock(fd, fcntl.LOCK_UN)
        else:
            _windows(fd, lock=False)
    except OSError:  # it was not there to begin with
        pass


def _windows(fd: int, *, lock: bool) -> None:
    import msvcrt

    os.lseek(fd, _FAR, os.SEEK_SET)
    mode = "LK_NBLCK" if lock else "LK_UNLCK"
    msvcrt.locking(fd, getattr(msvcrt, mode), 1)  # type: ignore[attr-defined,unused-ignore]
