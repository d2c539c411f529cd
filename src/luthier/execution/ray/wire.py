"""A connection of a trial's actor straight to the driver, for reports: a call through Ray costs several times as much.

Who connects shows that it knows the experiment's secret, which travels through Ray, and so does who is connected to.
What follows is neither encrypted nor signed, as between Ray's own processes; where Ray uses TLS there are no wires.
"""

from __future__ import annotations

import hmac
import os
import socket

import msgspec

from luthier.worker.frames import HEAD

PROOF = 32  # bytes of a nonce, and of a proof
HELLO = HEAD + 2 * PROOF  # who calls, a nonce, a proof
_PATIENCE = 3.0  # seconds for a driver to take a call


class Address(msgspec.Struct, frozen=True):
    """Where a driver takes calls, and what shows that it is the one."""

    host: str
    port: int
    secret: bytes


def proof(secret: bytes, *parts: bytes) -> bytes:
    """Return what only who knows *secret* can say about *parts*."""
    return hmac.digest(secret, b"".join(parts), "sha256")


class Wire:
    """The actor's end, connected by the first report.

    Args:
        address: the driver's; None for no wire.
        number: which of the driver's actors this is.
    """

    def __init__(self, address: Address | None, number: int) -> None:
        self._address, self._number = address, number
        self._sock: socket.socket | None = None

    def ask(self, frame: bytes | bytearray) -> bytes | None:
        """Send a report; return the verdict, or None where the driver must be told in another way.

        In that case it may have heard the report all the same.
        """
        try:
            if self._sock is None:
                if self._address is None:
                    return None
                self._sock = self._connected(self._address)
            self._sock.sendall(frame)
            verdict = self._sock.recv(1)
        except OSError:
            verdict = b""
        except BaseException:  # a trial that is asked to let go: whose verdict comes next, nobody knows
            self.close()
            raise
        if not verdict:
            self.close()
        return verdict or None

    def close(self) -> None:
        """Hang up, for good."""
        self._address = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _connected(self, address: Address) -> socket.socket:
        sock = socket.create_connection((address.host, address.port), _PATIENCE)
        try:
            theirs, ours, number = _exactly(sock, PROOF), os.urandom(PROOF), self._number.to_bytes(HEAD, "little")
            sock.sendall(number + ours + proof(address.secret, b"trial", theirs, number, ours))
            _check(_exactly(sock, PROOF), proof(address.secret, b"driver", ours, theirs))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(None)
        except BaseException:
            sock.close()
            raise
        return sock


def _check(shown: bytes, wanted: bytes) -> None:
    if not hmac.compare_digest(shown, wanted):
        raise ConnectionRefusedError


def _exactly(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        chunk = sock.recv(size - len(found))
        if not chunk:
            raise ConnectionResetError
        found += chunk
    return found
