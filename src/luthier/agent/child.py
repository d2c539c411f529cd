"""A program that an agent runs: a process group of its own, behind a guard that outlives neither of the two."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GUARD = str(Path(__file__).with_name("guard.py"))
_CLEARING_S = 3.0  # for the guard to kill what there is, before the group is killed with it


class Child:
    """One program at work; its standard input is empty, its output can be read from two pipes.

    Args:
        argv: the program and its arguments.
        environ: its environment.
        folder: where it runs.

    Attributes:
        out: descriptor of what it prints; does not block.
        err: the same for its errors.
        line: socket from the guard; readable when the program has ended.
        code: how it has ended, once :meth:`hear` knows: exit code, or minus the number of a signal.
        gone: whether the guard has ended too, and with it all that the program has started.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], folder: str) -> None:
        self.line, theirs = socket.socketpair()
        with theirs:
            self._guard: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 (no shell)
                [sys.executable, "-I", "-S", _GUARD, *argv],
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=dict(environ),
                cwd=folder,
                start_new_session=True,
            )
        assert self._guard.stdout is not None and self._guard.stderr is not None  # noqa: S101, PT018 (both are pipes)
        self._pipes = (self._guard.stdout, self._guard.stderr)
        self.out, self.err = (pipe.fileno() for pipe in self._pipes)
        for descriptor in (self.out, self.err):
            os.set_blocking(descriptor, False)
        self.line.setblocking(False)  # noqa: FBT003 (the standard library has it so)
        self.code: int | None = None
        self._killed_at: float | None = None
        self._said = b""

    @property
    def pid(self) -> int:
        """The process group."""
        return int(self._guard.pid)

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left."""
        return self._guard.poll() is not None

    def hear(self) -> bool:
        """Read what the guard says; return whether it says nothing more."""
        try:
            data = self.line.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self._said += data
        if self.code is None and self._said.endswith(b"\n"):
            self.code = int(msgspec.json.decode(self._said)["code"])
        if not data and self.code is None:  # somebody has killed the guard: nobody else clears up
            self._signal(signal.SIGKILL)
        return not data

    def ask(self) -> None:
        """Ask the program, and what it has started, to end (SIGTERM)."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, with all that it has started; to be called again until it is gone."""
        now = time.monotonic()
        if self._killed_at is None:
            self._killed_at = now
            with contextlib.suppress(OSError):
                self.line.shutdown(socket.SHUT_WR)  # the guard kills those, too, that left the group
        elif now - self._killed_at > _CLEARING_S and not self.gone:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        """Let the pipes go; only once it is :attr:`gone`."""
        self.line.close()
        for pipe in self._pipes:
            pipe.close()
        self._guard.wait()
