"""The driver's end of all wires: a thread that listens to them."""

from __future__ import annotations

import contextlib
import hmac
import os
import selectors
import socket
import threading
from time import monotonic
from typing import TYPE_CHECKING

from luthier.execution.descriptors import most_files
from luthier.execution.ray.wire import HELLO, PROOF, Address, proof
from luthier.worker.frames import HEAD, LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 16
_SPARE = 64  # descriptors that wires leave to all else that opens files
_PATIENCE = 5.0  # seconds for who calls to show who it is


class Caller:
    """One connection.

    Attributes:
        number: which actor it is; -1 while it has not shown that.
    """

    __slots__ = ("_inbox", "born", "nonce", "number", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.number, self.nonce, self.born = sock, -1, os.urandom(PROOF), monotonic()
        self._inbox = bytearray()

    def receive(self, secret: bytes) -> list[bytes]:
        """Return the reports that have come as a whole.

        Raises:
            ConnectionError: it is over, or nothing that an actor would say.
        """
        chunk = self.sock.recv(_CHUNK)
        if not chunk:
            raise ConnectionResetError
        inbox = self._inbox
        inbox += chunk
        if self.number < 0:
            if len(inbox) < HELLO:
                return []
            self._welcome(bytes(inbox[:HELLO]), secret)
            del inbox[:HELLO]
        frames = []
        while len(inbox) >= HEAD:
            size = int.from_bytes(inbox[:HEAD], "little")
            if size > LONGEST:
                raise ConnectionAbortedError
            if len(inbox) < HEAD + size:
                break
            frames.append(bytes(inbox[HEAD : HEAD + size]))
            del inbox[: HEAD + size]
        return frames

    def _welcome(self, hello: bytes, secret: bytes) -> None:
        number, nonce, shown = hello[:HEAD], hello[HEAD : HEAD + PROOF], hello[HEAD + PROOF :]
        if not hmac.compare_digest(shown, proof(secret, b"trial", self.nonce, number, nonce)):
            raise ConnectionRefusedError
        self.sock.send(proof(secret, b"driver", nonce, self.nonce))
        self.number = int.from_bytes(number, "little")


class Switchboard:
    """Takes calls of actors.

    Args:
        host: the address of this machine that actors can reach.
        heard: is called in another thread, with the number of an actor, its connection and the payload of a report.

    Attributes:
        address: for :class:`~luthier.execution.ray.wire.Wire`.

    Raises:
        OSError: nobody can be listened to at *host*.
    """

    def __init__(self, host: str, heard: Callable[[int, socket.socket, bytes], None]) -> None:
        self._heard = heard
        self._listener = socket.create_server((host, 0), backlog=256)
        self._listener.setblocking(False)  # noqa: FBT003 (the standard library has it so)
        self.address = Address(host, self._listener.getsockname()[1], os.urandom(PROOF))
        self._woken, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._woken, selectors.EVENT_READ, self)
        self._strangers: set[Caller] = set()
        self._thread = threading.Thread(target=self._serve, name="luthier-wires", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up on all."""
        self._waker.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select(_PATIENCE if self._strangers else None):
                if key.data is None:
                    self._take_call()
                elif key.data is self:
                    self._end()
                    return
                else:
                    self._listen(key.data)
            for caller in [c for c in self._strangers if monotonic() > c.born + _PATIENCE]:
                self._hang_up(caller)

    def _take_call(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # it has hung up
            return
        except OSError:  # no file can be opened: whoever calls from now on is refused at once
            self._selector.unregister(self._listener)
            self._listener.close()
            return
        if sock.fileno() + _SPARE >= most_files():
            sock.close()
            return
        sock.setblocking(False)  # noqa: FBT003 (the standard library has it so)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller = Caller(sock)
        self._strangers.add(caller)
        self._selector.register(sock, selectors.EVENT_READ, caller)
        with contextlib.suppress(OSError):
            sock.send(caller.nonce)

    def _listen(self, caller: Caller) -> None:
        try:
            frames = caller.receive(self.address.secret)
        except BlockingIOError:
            return
        except OSError:
            self._hang_up(caller)
            return
        if caller.number >= 0:
            self._strangers.discard(caller)
        for payload in frames:
            self._heard(caller.number, caller.sock, payload)

    def _hang_up(self, caller: Caller) -> None:
        self._strangers.discard(caller)
        self._selector.unregister(caller.sock)
        caller.sock.close()

    def _end(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # all are sockets
        self._selector.close()


def switchboard(host: str, heard: Callable[[int, socket.socket, bytes], None]) -> Switchboard | None:
    """Return a switchboard; None where wires cannot be, or must not."""
    if os.environ.get("RAY_USE_TLS", "0").lower() not in ("", "0", "false"):
        return None
    try:
        return Switchboard(host, heard)
    except OSError:
        return None
