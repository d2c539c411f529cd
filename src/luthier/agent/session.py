"""The process groups of a session: a program may have put what it started into groups of their own."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable

_PROC = Path("/proc")


def groups(session: int) -> set[int]:
    """Return the process groups of *session*; where there is no ``/proc``, that of its leader alone.

    >>> os.getpgrp() in groups(os.getsid(0)) or not _PROC.is_dir()
    True
    """
    found = {session}
    for stat in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            _state, _parent, group, its_session = stat.read_bytes().rpartition(b")")[2].split()[:4]
            if int(its_session) == session:
                found.add(int(group))
    return found


def tell(told: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to process groups, as far as they are still there."""
    for group in told:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
