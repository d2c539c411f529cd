"""Where a process stands: what it wrote to its ``stderr`` when it was asked."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from luthier.worker.traceback import is_ours

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 1 << 16  # bytes
_THREAD = re.compile(r"^(Current thread|Thread) 0x[0-9a-f]+.*:$")
_FRAME = re.compile(r'^  File "(.*)", line \d+ in .*$')
_IMPORTING = "<frozen importlib"  # what lies between an import and the module that is imported


def stack_in(stderr: Path, since: int) -> str:
    """Return the stacks that faulthandler wrote to *stderr* after byte *since*; empty where there are none.

    Each thread is told from its innermost call outwards, without the frames of this package.
    """
    try:
        with stderr.open("rb") as file:
            file.seek(since)
            return users_stack(file.read(_MOST))
    except OSError:
        return ""


def users_stack(written: bytes) -> str:
    """Return what of the stacks that faulthandler has *written* is the user's."""
    return "\n".join(_stacks(written[:_MOST].decode("utf-8", "replace").splitlines()))


def _stacks(lines: list[str]) -> list[str]:
    """Return what of *lines* belongs to stacks; threads that run nothing of the user's are left out.

    >>> _stacks(["training...", "Thread 0x1f (most recent call first):", '  File "train.py", line 3 in f', "bye"])
    ['Thread 0x1f (most recent call first):', '  File "train.py", line 3 in f']
    """
    kept: list[str] = []
    heading: str | None = None
    for line in lines:
        frame = _FRAME.match(line)
        if _THREAD.match(line):
            heading = line
        elif frame is None:
            heading = None if heading is None or line.strip() != "..." else heading
        elif not frame[1].startswith(_IMPORTING) and not is_ours(os.path.abspath(frame[1])):
            if heading:
                kept.append(heading)
                heading = ""
            if heading is not None:
                kept.append(line)
    return kept
