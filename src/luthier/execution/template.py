"""The driver's side of a template process; :mod:`luthier.worker.template` is the other."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from luthier.worker import orders
from luthier.worker.preamble import BOOT

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE = 10.0  # seconds for a template to bury its children


class Template:
    """One template process, and the births that wait for it to be ready.

    Args:
        selector: told to watch the control socket, with this object as the key's data.
        preamble: what the process reads first; the trainable is in it where it is to *fork*.
        environ: its environment.
        forks: whether trials are forks of it; they are executed anew otherwise.
    """

    def __init__(
        self, selector: selectors.BaseSelector, preamble: bytes, environ: Mapping[str, str], *, forks: bool
    ) -> None:
        self.forks = forks
        self.ready = not forks
        self.waiting: dict[int, tuple[socket.socket, Mapping[str, str]]] = {}
        self.children: dict[int, int] = {}  # process ids by child; 0 while it is not known
        self._selector = selector
        self._unsent: deque[tuple[bytes, socket.socket | None]] = deque()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)  # noqa: FBT003 (the standard library has it so)
        told = _in_memory(preamble)
        try:
            self._process = subprocess.Popen(
                [sys.executable, *interpreter_flags(), BOOT, "template"]
                + [str(number) for number in (theirs.fileno(), told, os.getpid())],
                pass_fds=(theirs.fileno(), told),
                stdin=subprocess.DEVNULL,
                env=dict(environ),
                process_group=0,  # Ctrl-C in the terminal is for the driver alone
            )
        except BaseException:
            self._control.close()
            raise
        finally:
            theirs.close()
            os.close(told)
        selector.register(self._control, selectors.EVENT_READ, self)

    def bear(self, child: int, sock: socket.socket, environ: Mapping[str, str]) -> None:
        """Start a process that has *sock*, which becomes the template's, as soon as the template is ready."""
        if not self.ready:
            self.waiting[child] = (sock, environ)
            return
        self.children[child] = 0
        self._send(orders.Bear(child, dict(environ)), sock)

    def signal(self, child: int, signum: int, *, group: bool) -> None:
        """Send a signal to a child or its group, unless it is gone."""
        if child in self.children:
            self._send(orders.Signal(child, signum, group))

    def hear(self) -> list[Any] | None:
        """Return what the template says; None when it is gone."""
        messages: list[Any] = []
        while True:
            try:
                packet = self._control.recv(orders.PACKET)
            except BlockingIOError:
                break
            except OSError:
                packet = b""
            if not packet:
                if not messages:
                    return None
                break  # the next time
            messages.append(orders.decode_answer(packet))
        for message in messages:
            match message:
                case orders.Ready(obstacle) if not obstacle:
                    self.ready = True
                    waiting, self.waiting = self.waiting, {}
                    for child, (sock, environ) in waiting.items():
                        self.bear(child, sock, environ)
                case orders.Born(child, pid):
                    self.children[child] = pid
                case orders.Died(child) | orders.Stillborn(child):
                    self.children.pop(child, None)
        return messages

    def flush(self) -> None:
        """Send what had to wait."""
        while self._unsent:
            packet, sock = self._unsent[0]
            try:
                if sock is None:
                    self._control.send(packet)
                else:
                    socket.send_fds(self._control, [packet], [sock.fileno()])
            except BlockingIOError:
                break
            except OSError:  # it is gone; reading will tell
                pass
            self._unsent.popleft()
            if sock is not None:
                sock.close()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector.get_key(self._control).events != events:
            self._selector.modify(self._control, events, self)

    def _send(self, message: Any, sock: socket.socket | None = None) -> None:
        self._unsent.append((orders.encode(message), sock))
        self.flush()

    def dismiss(self) -> None:
        """Let the process end: it kills what it has started."""
        with contextlib.suppress(KeyError, ValueError):  # once is enough
            self._selector.unregister(self._control)
        self._control.close()
        for _, sock in self._unsent:
            if sock is not None:
                sock.close()
        self._unsent.clear()
        for sock, _ in self.waiting.values():
            sock.close()
        self.waiting.clear()

    def bury(self) -> int:
        """Dismiss it, wait until it is gone and return its status, as ``subprocess`` tells it."""
        self.dismiss()
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        for pid in self.children.values():  # its own children died with it; theirs may not have
            if pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
        self.children.clear()
        return status


def interpreter_flags() -> list[str]:
    """Return the options with which this interpreter was started, such as ``-W error`` and ``-X dev``."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
    return flags


def _in_memory(content: bytes) -> int:
    """Return a descriptor of an anonymous file that holds *content*, to be read from its beginning."""
    descriptor = os.memfd_create("luthier-preamble")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
        file.flush()
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
