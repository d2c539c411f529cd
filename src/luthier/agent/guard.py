"""Stands between an agent and a program that it runs: whatever dies, nothing of the program is left behind.

This file is executed by itself, with the standard library alone (``python -I -S guard.py PROGRAM ARGUMENT ...``), as
the leader of a process group.  Its standard input is a socket from the agent: its end means that the agent is gone.
On it the guard says in one line of JSON how the program has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_NOT_FOUND, _NOT_RUNNABLE = 127, 126  # as a shell has it
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)


def main(argv: list[str]) -> None:
    """Run *argv* to its end, and kill what it has left behind."""
    line = socket.socket(fileno=os.dup(0))
    wake, woken = os.pipe()
    for number in (wake, woken):
        os.set_blocking(number, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    libc = _libc()
    if libc is not None:
        libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guard = os.getpid()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        _become(argv, libc, guard)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    status = _watch(child, line, wake)
    if status is not None:
        with contextlib.suppress(OSError):
            line.sendall(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
    _clear(guard)


def _become(argv: list[str], libc: Any, guard: int) -> None:
    """Turn into the program."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (*_IGNORED, signal.SIGCHLD, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if libc is not None:
            libc.prctl(_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != guard:
                os._exit(1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.execvp(argv[0], argv)  # noqa: S606 (no shell)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        os.write(2, f"{argv[0]} cannot be run: {error.strerror}\n".encode("utf-8", "surrogateescape"))
        os._exit(_NOT_FOUND if missing else _NOT_RUNNABLE)
    except BaseException:  # noqa: BLE001 (never back into the guard's code)
        os._exit(_NOT_RUNNABLE)


def _watch(child: int, line: socket.socket, wake: int) -> int | None:
    """Wait for the end of *child*; return its status, or None where the agent has gone."""
    while True:
        ready, _, _ = select.select([line.fileno(), wake], [], [])
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
            status = None
            while True:
                try:
                    pid, found = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    break
                if pid == 0:
                    break
                if pid == child:
                    status = found
            if status is not None:
                return status
        if line.fileno() in ready:
            try:
                gone = not line.recv(4096)
            except OSError:
                gone = True
            if gone:
                return None


def _clear(guard: int) -> None:
    """Kill what is left of the program, and this process with it."""
    for _ in range(100):  # those that left the group, too: their parent is the guard by now
        left = _children(guard)
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)
        if not left:
            break
    os.killpg(0, signal.SIGKILL)


def _children(guard: int) -> list[int]:
    try:
        with open(f"/proc/self/task/{guard}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _libc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    return ctypes.CDLL(None)


if __name__ == "__main__":
    main(sys.argv[1:])
