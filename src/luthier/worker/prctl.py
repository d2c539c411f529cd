"""What Linux alone offers to processes that look after one another; elsewhere these do nothing.

The numbers are those of ``linux/prctl.h``.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes
    from signal import Signals

_SET_PDEATHSIG, _SET_NAME, _SET_CHILD_SUBREAPER = 1, 15, 36


@cache
def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def die_with_parent(signum: Signals, parent: int) -> None:
    """Have the kernel send *signum* to this process when the thread that started it ends.

    Leaves at once where *parent*, a process id, is gone already.
    """
    libc = _libc()
    if libc is None:
        return
    libc.prctl(_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends."""
    libc = _libc()
    if libc is not None:
        libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def name_process(name: str) -> None:
    """Give this process a name for ``top`` and ``ps`` (15 bytes of it are shown)."""
    libc = _libc()
    if libc is not None:
        libc.prctl(_SET_NAME, name.encode()[:15], 0, 0, 0)


def flush_c_streams() -> None:
    """Write out what C code has printed and not flushed."""
    libc = _libc()
    if libc is not None:
        libc.fflush(None)


def children() -> list[int]:
    """Return the ids of this (single-threaded) process's children; none where the kernel does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []
