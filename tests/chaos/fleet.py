"""Servers and agents, each a process of its own that may be killed and comes back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Member:
    """A process that is started again whenever it was killed.

    Args:
        name: of its file of output in *folder*.
        folder: where it may write.
        command: what it does, with its arguments.
        before: goes before the command: where it is to run.
    """

    def __init__(self, name: str, folder: Path, command: Sequence[str], before: Sequence[str] = ()) -> None:
        self.name, self.folder = name, folder
        self.command = [*before, sys.executable, "-m", "luthier", *command]
        self.process: subprocess.Popen[bytes] | None = None
        self.due = 0.0  # when it is to be started again
        self.stopped_until: float | None = None

    @property
    def here(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended, if it did."""
        return None if self.process is None else self.process.poll()

    def start(self) -> None:
        with (self.folder / f"{self.name}.txt").open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder
            )
        self.stopped_until = None

    def kill(self, away_s: float = 0.0) -> None:
        """Kill it at once; it is back *away_s* seconds later."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.due = time.monotonic() + away_s

    def stop(self, for_s: float) -> None:
        """Keep it from working for a while."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self.stopped_until = time.monotonic() + for_s

    def tend(self) -> None:
        """Let it go on when its time has come."""
        now = time.monotonic()
        if self.here and self.stopped_until is not None and now >= self.stopped_until:
            self.process.send_signal(signal.SIGCONT)
            self.stopped_until = None
        elif not self.here and now >= self.due:
            self.start()

    def end(self, wait_s: float = 20.0) -> int:
        """Ask it to end, and return its code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        return self.process.wait(wait_s)

    def said(self) -> str:
        """Return what it printed."""
        path = self.folder / f"{self.name}.txt"
        return path.read_text(errors="replace") if path.exists() else ""


def server(name: str, folder: Path, database_url: str, lease_s: float, *more: str, **where: Any) -> tuple[Member, str]:
    """Return a server over the database at *database_url*, not started yet, and its own URL."""
    host, port = where.get("host", "127.0.0.1"), where.get("port") or free_port()
    command = ["server", "--host", host, "--port", str(port), "--database-url", database_url]
    command += ["--files", str(folder / "files"), "--lease", str(lease_s), *more]
    return Member(name, folder, command, where.get("before", ())), f"http://{host}:{port}"


def agent(name: str, folder: Path, sweep: str, url: str, *more: str, before: Sequence[str] = ()) -> Member:
    """Return an agent of *sweep*, not started yet."""
    return Member(name, folder, ["agent", sweep, "--server", url, "--name", name, "--gpus", "none", *more], before)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def wait_for(condition: Any, wait_s: float, what: str, meanwhile: Any = lambda: None) -> None:
    """Wait until *condition* holds."""
    until = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < until, f"not within {wait_s:g} s: {what}"
        meanwhile()
        time.sleep(0.03)


def answers(url: str) -> bool:
    """Return whether somebody listens there."""
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), 0.5).close()
    except OSError:
        return False
    return True


def kill(pid: int) -> bool:
    """Kill a process; return whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
