"""What to say of a process that ended without a word."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from luthier.execution.transcript import tail

if TYPE_CHECKING:
    from pathlib import Path

_MEANINGS = {
    "SIGSEGV": "segmentation fault: native code touched memory that is not its own",
    "SIGABRT": "native code gave up",
    "SIGBUS": "bus error: often a full /dev/shm, or a mapped file that was cut",
    "SIGILL": "illegal instruction: a library built for another processor",
    "SIGFPE": "arithmetic error in native code",
    "SIGKILL": "killed from outside; if not by you, then most likely by the kernel because memory ran out",
    "SIGTERM": "asked to end from outside",
}
_LINES = 20


def obituary(status: int, peak: int, stderr: Path | None) -> str:
    """Return why a process is gone.

    Args:
        status: as ``os.wait`` tells it.
        peak: most memory that it held resident, in KiB; 0 where unknown.
        stderr: where it wrote errors; the last lines are shown.

    >>> obituary(3 << 8, 0, None)
    "the trial's process exited with code 3 without a result"
    """
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        text = f"the trial's process exited with code {code} without a result"
    else:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        meaning = _MEANINGS.get(name)
        text = f"the trial's process was killed by {name}{f' ({meaning})' if meaning else ''}"
        if name == "SIGKILL" and peak:
            text += f"; it held up to {_spelled(peak)} of memory"
    shown = tail(stderr, _LINES) if stderr is not None else ""
    return f"{text}\nthe end of its stderr:\n{shown}" if shown else text


def _spelled(kib: int) -> str:
    mib = kib / 1024
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"  # noqa: PLR2004 (MiB in a GiB)
