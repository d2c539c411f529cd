"""The driver's side of one trial's process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luthier.worker.frames import HEAD, LONGEST

if TYPE_CHECKING:
    import socket

    from luthier.core.events import Exited
    from luthier.execution.transcript import Transcript
    from luthier.worker.assignment import Assignment

_CHUNK = 1 << 16


class BrokenFrame(Exception):
    """What a process sent is no frame."""


class Child:
    """One process: the bytes to and from it, and how its current attempt stands.

    Attributes:
        number: names the process, among all that the executor ever started.
        sock: the driver's end of their pair of sockets; does not block.
        threads: how many threads it computes with.
        gpus: GPUs that it sees; None where the machine has none.
        assignment: what it works on; None before, between and after.
        transcript: what that prints.
        first: the frame to be sent as soon as the process is there.
        born: whether it is there.
        eof: whether it sends nothing more.
        progressed: whether the last :meth:`receive` found anything.
        waits_to_send: whether the selector is to tell when there is room to send.
        halted: whether its attempt was ordered to let go.
        given_up: why its attempt is being ended although nobody ordered that; empty where it is not.
        mark: how long its ``stderr`` was when it was asked where it stands.
        held: the end of its attempt, kept back until the process is gone.
        deadline: when it will be pressed harder (monotonic seconds).
        pressed: how hard it was pressed to end: 0 not at all, 1 asked by signal, 2 killed.
    """

    __slots__ = (
        "_inbox",
        "_outbox",
        "assignment",
        "born",
        "deadline",
        "eof",
        "first",
        "given_up",
        "gpus",
        "halted",
        "held",
        "mark",
        "number",
        "pressed",
        "progressed",
        "sock",
        "threads",
        "transcript",
        "waits_to_send",
    )

    def __init__(self, number: int, sock: socket.socket, threads: int, gpus: tuple[str, ...] | None) -> None:
        self.number, self.sock, self.threads, self.gpus = number, sock, threads, gpus
        self.assignment: Assignment | None = None
        self.transcript: Transcript | None = None
        self.held: Exited | None = None
        self.first: bytes | bytearray = b""
        self.born = self.eof = self.progressed = self.waits_to_send = self.halted = False
        self.deadline = math.inf
        self.pressed = self.mark = 0
        self.given_up = ""
        self._inbox, self._outbox = bytearray(), bytearray()
        sock.setblocking(False)  # noqa: FBT003 (the standard library has it so)

    def send(self, data: bytes | bytearray) -> bool:
        """Send *data* as far as there is room; return whether all is on its way.

        What is left goes with the next call.
        """
        if self._outbox:
            self._outbox += data
            data = self._outbox
        elif not data:
            return True
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # it is gone; that is noticed elsewhere
            sent = len(data)
        if sent == len(data):
            self._outbox.clear()
            return True
        if data is self._outbox:
            del self._outbox[:sent]
        else:
            self._outbox += data[sent:]
        return False

    def receive(self) -> list[bytes]:
        """Read what there is, and return the payloads of the frames that are complete.

        Raises:
            BrokenFrame: a frame says that it is longer than any can be.
        """
        try:
            chunk = self.sock.recv(_CHUNK)
        except BlockingIOError:
            self.progressed = False
            return []
        except OSError:
            chunk = b""
        self.progressed = True
        if not chunk:
            self.eof = True
            return []
        if not self._inbox:
            size = len(chunk) - HEAD
            if size >= 0 and int.from_bytes(chunk[:HEAD], "little") == size:  # in lockstep: one report, all of it
                return [chunk[HEAD:]]
        return self._frames(chunk)

    def _frames(self, chunk: bytes) -> list[bytes]:
        inbox, frames, start = self._inbox, [], 0
        inbox += chunk
        while len(inbox) - start >= HEAD:
            size = int.from_bytes(inbox[start : start + HEAD], "little")
            if size > LONGEST:
                raise BrokenFrame
            end = start + HEAD + size
            if end > len(inbox):
                break
            frames.append(bytes(inbox[start + HEAD : end]))
            start = end
        del inbox[:start]
        return frames
