"""Getting what was written onto the disk itself, off the path of those who write."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Fsync = Literal["never", "interval", "always"]
PERIOD_S = 1.0


class Syncer:
    """Calls ``fsync`` on one open file, at most once per second, from a daemon thread.

    The thread starts with the first :meth:`touch` and holds no reference to this object.

    Attributes:
        failures: what ``fsync`` raised, if it ever did: what was written since the last one before may be lost
            although no write failed.
        is_dirty: tells whether something is still to be synced, so that another :meth:`touch` would do nothing.
    """

    def __init__(self, fd: int, fsync: Callable[[int], None] = os.fsync) -> None:
        self._fd, self._fsync = fd, fsync
        self._dirty = threading.Event()
        self.is_dirty = self._dirty.is_set
        self._closed = threading.Event()
        self.failures: list[OSError] = []
        self._thread: threading.Thread | None = None

    def touch(self) -> None:
        """Say that something was written."""
        if self.is_dirty():
            return
        self._dirty.set()
        if self._thread is None:
            self._thread = threading.Thread(
                target=_sync_now_and_then,
                args=(self._fd, self._fsync, self._dirty, self._closed, self.failures),
                name="luthier-fsync",
                daemon=True,
            )
            self._thread.start()

    def close(self) -> None:
        """End the thread and sync once more if anything was written since; the file stays open."""
        dirty = self.is_dirty()
        self._closed.set()
        self._dirty.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        if dirty:
            sync(self._fd, self._fsync, self.failures)
        self._dirty.clear()


def fsync_named(fd: int) -> None:
    """Call ``fsync`` on a file that has a name.

    Raises:
        OSError: it was deleted (or as ``fsync`` does): what is written there is lost with the last who has it open.
    """
    os.fsync(fd)
    if os.fstat(fd).st_nlink == 0:
        raise FileNotFoundError(errno.ENOENT, "it was deleted")


def sync(fd: int, fsync: Callable[[int], None], failures: list[OSError]) -> None:
    """Call *fsync* on *fd*; an error goes into *failures*."""
    try:
        fsync(fd)
    except OSError as error:
        failures.append(error)


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Get the names in a directory onto the disk, where the system can do that."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no directories
        return
    try:
        os.fsync(fd)
    except OSError:  # some file systems sync names with the file
        pass
    finally:
        os.close(fd)


def _sync_now_and_then(
    fd: int,
    fsync: Callable[[int], None],
    dirty: threading.Event,
    closed: threading.Event,
    failures: list[OSError],
) -> None:
    while True:
        dirty.wait()
        if closed.is_set():
            return
        dirty.clear()
        sync(fd, fsync, failures)
        closed.wait(PERIOD_S)
