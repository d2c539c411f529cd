"""A trial's side of the pair of sockets between it and its driver."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from luthier.core.terms import Verdict
from luthier.worker.frames import HEAD, VERDICTS, decode_assignment, encode_exit, encode_report, frame_of

if TYPE_CHECKING:
    import socket

    from luthier.core.events import Exited, Reported
    from luthier.worker.assignment import Assignment
    from luthier.worker.frames import Unloadable


class Pipe:
    """A :class:`~luthier.worker.channel.Channel` over a connected stream socket, which blocks.

    Where the driver is gone, reports are told to halt and there is no further assignment.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._owed = 0  # verdicts that were waited for in vain: a signal broke off the waiting
        self._torn = False  # a frame was begun and not ended, so that nothing can follow it

    def tell(self, report: Reported) -> Verdict:
        """Deliver *report*, wait for the verdict and return it.

        Raises:
            BadArgument: the report is too long.
            NotStorable: a metric cannot be sent.
        """
        frame = encode_report(report)
        with self._lock:
            if not self._send(frame):
                return Verdict.HALT
            self._owed += 1
            verdict = Verdict.HALT
            while self._owed:
                try:
                    byte = self._sock.recv(1)
                except OSError:
                    byte = b""
                if not byte:
                    return Verdict.HALT
                self._owed -= 1
                verdict = VERDICTS[byte]
            return verdict

    def leave(self, exited: Exited) -> bool:
        """Deliver the end of the attempt; whether that was possible."""
        return self._send(encode_exit(exited)) and not self._owed

    def refuse(self, unloadable: Unloadable) -> None:
        """Say that the trainable cannot be loaded."""
        self._send(frame_of(unloadable))

    def next(self) -> Assignment | None:
        """Wait for the next assignment; None where there is none any more."""
        frame = read_frame(self._sock)
        return None if frame is None else decode_assignment(frame)

    def _send(self, frame: bytearray) -> bool:
        if self._torn:
            return False
        self._torn = True
        try:
            self._sock.sendall(frame)
        except OSError:
            return False
        self._torn = False
        return True


def read_frame(sock: socket.socket) -> bytes | None:
    """Return the payload of the next frame of a socket that blocks; None at its end."""
    head = _exactly(sock, HEAD)
    return None if head is None else _exactly(sock, int.from_bytes(head, "little"))


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    chunks = []
    while size:
        try:
            chunk = sock.recv(min(size, 1 << 20))
        except OSError:
            return None
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
