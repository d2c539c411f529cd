"""Where a trial's output goes: the files ``stdout`` and ``stderr`` of its directory."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import signal
import sys

from luthier.worker.prctl import flush_c_streams

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)

# The signal on which a process writes its stacks to stderr, whatever it is doing: one that users have no use for.
WHERE = int(signal.SIGRTMAX) - 7 if hasattr(signal, "SIGRTMAX") else None


def capture_output(trial_dir: str) -> None:
    """Send all that this process prints from now on to *trial_dir*: Python, C libraries and children alike.

    The files are appended to, so that what earlier attempts printed stays.  Fatal signals leave a traceback in
    ``stderr``.
    """
    flush_output()
    for target, name in ((1, "stdout"), (2, "stderr")):
        opened = os.open(os.path.join(trial_dir, name), _FLAGS, 0o666)
        os.dup2(opened, target)
        os.close(opened)


def prepare_output() -> None:
    """Make Python's own streams write to descriptors 1 and 2, a line at a time, whatever they hold."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
        else:
            fresh = open(descriptor, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, fresh)
    faulthandler.enable(2)
    tell_where(2)


def tell_where(descriptor: int) -> None:
    """Write to *descriptor*, whenever the signal :data:`WHERE` comes, where each thread of this process stands."""
    if WHERE is not None:
        faulthandler.register(WHERE, descriptor, all_threads=True)


def flush_output() -> None:
    """Write out what Python and C hold back."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    flush_c_streams()
