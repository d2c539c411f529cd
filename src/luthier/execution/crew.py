"""The processes that an executor has: their births, their messages, their ends."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import selectors
import signal
import socket
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from luthier.execution.child import BrokenFrame, Child
from luthier.execution.descriptors import most_files
from luthier.execution.nursery import Nursery, Start
from luthier.execution.vigil import SLICE_S
from luthier.worker import orders
from luthier.worker.capture import WHERE
from luthier.worker.frames import Unloadable, decode, decode_sealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from luthier.core.events import Exited, Reported
    from luthier.execution.surroundings import Surroundings

_LAST = 2.0  # seconds between asking a process by a signal and killing it
_SPARE = 8  # descriptors that processes leave to all else that opens files
_ASK = 0.02  # seconds between two questions where no selector tells


class Gone(msgspec.Struct, frozen=True):
    """A process is no more.

    Attributes:
        status: as ``os.wait`` tells it; None where nobody knows.
        peak: most memory that it held resident, in KiB; 0 where unknown.
        reason: why it is gone, where that is known better than from its status.
        lost: whether that was through no fault of its own.
    """

    status: int | None = None
    peak: int = 0
    reason: str = ""
    lost: bool = False


class Crew:
    """Processes, and the one selector that waits for all of them.

    Args:
        trainable: pickled by cloudpickle.
        start: how they are started, see :class:`Nursery`.
        environ: added to their environment.
        reuse: whether they take further assignments.
        patience: seconds that loading the trainable may take.
        behalf: what processes are to have around them; what they say is passed on to where that is, and values that
            had to be pickled stay so.

    Attributes:
        children: all processes that may still be there, by number.
        woken: whether :meth:`wake` was called since this was last set to False.
    """

    def __init__(
        self,
        trainable: bytes,
        start: Start,
        environ: Mapping[str, str],
        *,
        reuse: bool,
        patience: float = math.inf,
        behalf: Surroundings | None = None,
    ) -> None:
        self._decode = decode if behalf is None else decode_sealed
        self.children: dict[int, Child] = {}
        self.woken = False
        self._count = 0
        self._due = math.inf  # when somebody is to be pressed harder
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)  # noqa: FBT003 (the standard library has it so)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._nursery = Nursery(
            self._selector, trainable, start, environ, reuse=reuse, patience=patience, surroundings=behalf
        )

    def bear(self, threads: int, gpus: tuple[str, ...] | None) -> Child:
        """Start a process that computes with *threads* threads and sees *gpus*; return without waiting for it.

        Raises:
            OSError: there are too many open files, or processes.
        """
        ours, theirs = self._pair()
        self._count += 1
        child = Child(self._count, ours, threads, gpus)
        self.children[child.number] = child
        self._selector.register(ours, selectors.EVENT_READ, child)
        environ = {} if gpus is None else {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
        try:
            self._nursery.bear(child.number, theirs, threads, environ)
        except BaseException:
            theirs.close()
            self._forget(child)
            raise
        return child

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        if max(ours.fileno(), theirs.fileno()) + _SPARE >= most_files():
            ours.close()
            theirs.close()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return ours, theirs

    def send(self, child: Child, data: bytes | bytearray) -> None:
        """Send *data* once the process is there, without waiting; the order is kept."""
        if not child.born:
            child.first = data
        elif child.send(data) == child.waits_to_send:
            child.waits_to_send = not child.waits_to_send
            if not child.eof:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.waits_to_send else 0)
                self._selector.modify(child.sock, events, child)

    def dismiss(self, child: Child) -> None:
        """Let a process know that there is no further assignment."""
        with contextlib.suppress(OSError):
            child.sock.shutdown(socket.SHUT_WR)

    def press(self, child: Child, seconds: float) -> None:
        """Have a process asked by SIGTERM in *seconds*, unless that is to happen sooner, and killed soon after."""
        child.deadline = min(child.deadline, monotonic() + seconds)
        self._due = min(self._due, child.deadline)

    def ask_where(self, child: Child) -> None:
        """Have a process write to its ``stderr`` what each of its threads is doing."""
        if WHERE is not None:
            self._nursery.signal(child.number, WHERE)

    def kill(self, child: Child) -> None:
        """Kill a process, and all that it has started, at once."""
        child.pressed, child.deadline = 2, math.inf
        self._nursery.signal(child.number, getattr(signal, "SIGKILL", signal.SIGTERM), group=True)

    def cancel(self, child: Child) -> bool:
        """Take back the birth of a process that still waits for it; whether it did."""
        if child.born or not self._nursery.cancel(child.number):
            return False
        self._forget(child)
        return True

    def wake(self) -> None:
        """Make a waiting :meth:`look` return; may be called from any thread or signal handler."""
        with contextlib.suppress(OSError):  # full: it will wake; closed: nobody waits
            self._waker.send(b"x")

    def look(self, until: float) -> list[tuple[Child, Reported | Exited | Unloadable | Gone]]:
        """Wait until something happens or it is *until* (monotonic seconds); return what happened.

        Raises:
            LuthierError: no process can be started.
        """
        happened: list[tuple[Child, Reported | Exited | Unloadable | Gone]] = []
        nearest = min(until, self._due)
        if self._nursery.impatient:
            self._learn(self._nursery.ask(), happened)
            nearest = 0.0 if happened else min(nearest, monotonic() + _ASK)
        if self._nursery.watchful:
            nearest = min(nearest, monotonic() + SLICE_S)
        for key, mask in self._selector.select(None if nearest == math.inf else max(0.0, nearest - monotonic())):
            source = key.data
            if source.__class__ is Child:
                if mask & selectors.EVENT_WRITE:
                    self.send(source, b"")
                if mask & selectors.EVENT_READ and not source.eof:
                    self._hear(source, happened)
            elif source is None:
                self.woken = True
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4096)
            else:
                if mask & selectors.EVENT_WRITE:
                    source.flush()
                if mask & selectors.EVENT_READ:
                    self._learn(self._nursery.hear(source), happened)
        if self._nursery.watchful:
            self._learn(self._nursery.watch(monotonic()), happened)
        if self._due < math.inf and monotonic() >= self._due:
            self._press_harder(monotonic())
        return happened

    def close(self) -> None:
        """Kill whatever is left, and let go of everything."""
        self._nursery.close()
        for child in list(self.children.values()):
            self._forget(child)
        self._selector.close()
        self._woken.close()
        self._waker.close()

    # -- inside ----------------------------------------------------------------------------------------------------
    def _hear(self, child: Child, happened: list[tuple[Child, Reported | Exited | Unloadable | Gone]]) -> None:
        try:
            for payload in child.receive():
                happened.append((child, self._decode(payload)))  # noqa: PERF401 (what came before a broken frame counts)
        except (BrokenFrame, msgspec.DecodeError):
            child.eof = True  # who writes there is not ours to understand
        if child.eof:
            self._selector.unregister(child.sock)
            if child.born:
                self.press(child, _LAST)  # it can be told nothing more: it goes by itself, or is killed

    def _learn(
        self, news: Iterable[object], happened: list[tuple[Child, Reported | Exited | Unloadable | Gone]]
    ) -> None:
        for message in news:
            match message:
                case orders.Born(number) if number in self.children:
                    child = self.children[number]
                    child.born = True
                    first, child.first = child.first, b""
                    preamble = self._nursery.preamble_for(number)
                    if preamble:
                        self.send(child, preamble)
                    self.send(child, first)
                    if child.deadline < math.inf:
                        self._due = min(self._due, child.deadline)
                case orders.Died(number, status, peak) if number in self.children:
                    self._mourn(self.children[number], Gone(status, peak), happened)
                case orders.Stillborn(number, error, lost) if number in self.children:
                    self._mourn(self.children[number], Gone(reason=error, lost=lost), happened)

    def _mourn(
        self, child: Child, gone: Gone, happened: list[tuple[Child, Reported | Exited | Unloadable | Gone]]
    ) -> None:
        while not child.eof:  # what it said last may still lie there
            self._hear(child, happened)
            if not child.progressed:
                break
        self._forget(child)
        happened.append((child, gone))

    def _forget(self, child: Child) -> None:
        if not child.eof:
            self._selector.unregister(child.sock)
        child.sock.close()
        self.children.pop(child.number, None)

    def _press_harder(self, now: float) -> None:
        for child in self.children.values():
            if child.deadline > now or not child.born:
                continue
            if child.pressed or child.eof:
                self.kill(child)
            else:
                child.pressed, child.deadline = 1, now + _LAST
                self._nursery.signal(child.number, signal.SIGTERM)
        self._due = min((c.deadline for c in self.children.values() if c.born), default=math.inf)
