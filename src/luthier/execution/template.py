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

from luthier.execution.stack import users_stack
from luthier.execution.vigil import Vigil
from luthier.worker import orders
from luthier.worker.capture import WHERE
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
        cwd: its working directory; the driver's where empty.

    Attributes:
        vigil: for how long nothing has been heard of it while it owes an answer.
        mark: how much it had written when it was asked where it stands; -1 where it was not asked.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        preamble: bytes,
        environ: Mapping[str, str],
        *,
        forks: bool,
        cwd: str = "",
    ) -> None:
        self.forks = forks
        self.ready = not forks
        self.waiting: dict[int, tuple[socket.socket, Mapping[str, str]]] = {}
        self.children: dict[int, int] = {}  # process ids by child; 0 while it is not known
        self.vigil, self.mark = Vigil(), -1
        self._owed = 0  # answers
        self._selector = selector
        self._unsent: deque[tuple[bytes, socket.socket | None]] = deque()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)  # noqa: FBT003 (the standard library has it so)
        told, self._where = _in_memory("luthier-preamble", preamble), _in_memory("luthier-where")
        try:
            self._process = subprocess.Popen(
                [sys.executable, *interpreter_flags(), BOOT, "template"]
                + [str(number) for number in (theirs.fileno(), told, self._where, os.getpid())],
                pass_fds=(theirs.fileno(), told, self._where),
                stdin=subprocess.DEVNULL,
                env=dict(environ),
                cwd=cwd or None,
                process_group=0,  # Ctrl-C in the terminal is for the driver alone
            )
        except BaseException:
            self._control.close()
            os.close(self._where)
            raise
        finally:
            theirs.close()
            os.close(told)
        selector.register(self._control, selectors.EVENT_READ, self)

    @property
    def owes(self) -> bool:
        """Whether it is to say something: that it is ready, or what became of what it was told."""
        return self._owed > 0 or not self.ready

    @property
    def stopped(self) -> bool:
        """Whether somebody has stopped the process."""
        return self._status("State")[:1] in ("T", "t")

    def ask_where(self) -> None:
        """Have it write where it stands; :meth:`where` tells soon after."""
        self.mark = os.fstat(self._where).st_size
        if WHERE is not None and int(self._status("SigCgt") or "0", 16) >> (WHERE - 1) & 1:  # or it would die of it
            self._process.send_signal(WHERE)

    def _status(self, name: str) -> str:
        """Return what the kernel tells of the process under that *name*; empty where it tells nothing."""
        with contextlib.suppress(OSError), open(f"/proc/{self._process.pid}/status", errors="replace") as file:
            for line in file:
                if line.startswith(f"{name}:"):
                    return line.partition(":")[2].strip()
        return ""

    def where(self) -> str:
        """Return where it stood when it was asked, the innermost call first; empty where that is not known."""
        mark, self.mark = self.mark, -1
        return users_stack(os.pread(self._where, 1 << 16, max(mark, 0)))

    def kill(self) -> None:
        """Kill the process, and with it what it has started; reading will tell."""
        self._process.kill()

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
            self.vigil.begin()
        for message in messages:
            match message:
                case orders.Ready(obstacle) if not obstacle:
                    self.ready = True
                    waiting, self.waiting = self.waiting, {}
                    for child, (sock, environ) in waiting.items():
                        self.bear(child, sock, environ)
                case orders.Born(child, pid):
                    self.children[child] = pid
                    self._owed -= 1
                case orders.Stillborn(child):
                    self.children.pop(child, None)
                    self._owed -= 1
                case orders.Heard():
                    self._owed -= 1
                case orders.Died(child):
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
        if not self._owed:
            self.vigil.begin()
        self._owed += 1
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
        if self.stopped:  # it will never notice
            self._process.kill()
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
        if self._where >= 0:
            os.close(self._where)
            self._where = -1
        return status


def interpreter_flags() -> list[str]:
    """Return the options with which this interpreter was started, such as ``-W error`` and ``-X dev``."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
    return flags


def _in_memory(name: str, content: bytes = b"") -> int:
    """Return a descriptor of an anonymous file that holds *content*, to be read from its beginning."""
    descriptor = os.memfd_create(name)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
        file.flush()
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
