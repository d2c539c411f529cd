"""Processes that the driver starts itself, where there are no templates: on Windows and macOS.

On Linux the tests run it (``start="direct"``) but for the one line that hands over the socket on Windows.  Nobody kills
what a trial itself has started when the driver dies here; the trial ends when it next talks to the driver.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from luthier.execution.template import interpreter_flags
from luthier.worker import orders
from luthier.worker.preamble import BOOT

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_WINDOWS = sys.platform == "win32"


class Direct:
    """Starts processes as a template does, and looks for those that have ended whenever it is asked.

    Args:
        environ: environment of the processes.
        cwd: their working directory; the driver's where empty.
    """

    forks = False

    def __init__(self, environ: Mapping[str, str], cwd: str = "") -> None:
        self.waiting: dict[int, Any] = {}  # nobody ever waits here
        self.children: dict[int, subprocess.Popen[bytes]] = {}
        self._environ, self._cwd = environ, cwd or None
        self._messages: list[Any] = []

    def bear(self, child: int, sock: socket.socket, environ: Mapping[str, str]) -> None:
        """Start a process that has *sock*."""
        command = [sys.executable, *interpreter_flags(), BOOT]
        try:
            with sock:
                process = self._start(command, sock, {**self._environ, **environ})
        except OSError as error:
            self._messages.append(orders.Stillborn(child, str(error)))
            return
        self.children[child] = process
        self._messages.append(orders.Born(child, process.pid))

    def _start(self, command: list[str], sock: socket.socket, environ: dict[str, str]) -> subprocess.Popen[bytes]:
        if not _WINDOWS:
            return subprocess.Popen(
                [*command, "trial", str(sock.fileno()), str(os.getpid())],
                pass_fds=(sock.fileno(),), stdin=subprocess.DEVNULL, env=environ, cwd=self._cwd, process_group=0,
            )  # fmt: skip
        process = subprocess.Popen([*command, "shared"], stdin=subprocess.PIPE, env=environ, cwd=self._cwd)
        assert process.stdin is not None  # noqa: S101 (for the type checker)
        with process.stdin as pipe:
            pipe.write(sock.share(process.pid))  # type: ignore[attr-defined,unused-ignore]  # Windows alone
        return process

    def signal(self, child: int, signum: int, *, group: bool) -> None:
        """Send a signal to a child or its group, unless it is gone."""
        process = self.children.get(child)
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group and not _WINDOWS:
                os.killpg(process.pid, signum)
            else:
                process.send_signal(signum)

    def hear(self) -> list[Any]:
        """Return what has happened since the last time."""
        for child, process in list(self.children.items()):
            code = process.poll()
            if code is not None:
                del self.children[child]
                if not _WINDOWS:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(process.pid, signal.SIGKILL)
                self._messages.append(orders.Died(child, -code if code < 0 else code << 8))
        messages, self._messages = self._messages, []
        return messages

    def bury(self) -> int:
        """Kill what is left."""
        for child in list(self.children):
            self.signal(child, signal.SIGTERM if _WINDOWS else signal.SIGKILL, group=True)
        for process in self.children.values():
            process.wait()
        self.children.clear()
        return 0
