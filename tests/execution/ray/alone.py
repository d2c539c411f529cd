"""Run a command, and fail if it leaves any process behind: ``python -m tests.execution.ray.alone COMMAND...``.

However far a process detaches itself: who loses its parent becomes a child of this one (Linux's subreaper).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

from tests.crash.storm import described, send

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 20.0  # seconds that the last ones may take to be gone


def main(command: list[str]) -> int:
    """Return the command's exit status, or 1 where it has left something behind; that is killed."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("this system cannot tell whose processes they were")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends by it, and then it is our turn
    status = subprocess.run(command, check=False, preexec_fn=heeding).returncode
    until = time.monotonic() + PATIENCE
    while (left := children()) and time.monotonic() < until:
        time.sleep(0.1)
    if left:
        print("left behind:", *map(described, left), sep="\n  ", file=sys.stderr)
    while left:
        send(signal.SIGKILL, *left)
        time.sleep(0.1)
        left, status = children(), status or 1
    return status


def heeding() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def children() -> list[int]:
    """Return the children that there are, after those that are gone are taken leave of."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return []
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(pid) for pid in file.read().split()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
