"""The socket on which an agent listens to the program that it runs."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.sweeps.wire import decode

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 8 << 20  # bytes of one message


class Listener:
    """Answers each line of JSON that comes over a Unix socket; one thread for each connection.

    Args:
        path: of the socket; made here.
        answer: takes a message, returns the answer; what it raises becomes ``{"ok": false, "error": ...}``.
    """

    def __init__(self, path: str, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.path, self._answer = path, answer
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.bind(path)
        os.chmod(path, 0o600)
        self._sock.listen(64)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, name="luthier listener", daemon=True).start()

    def close(self) -> None:
        """Hang up on everybody."""
        with self._lock:
            self._closed = True
            connections = [self._sock, *self._open]
        for sock in connections:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                if self._closed:
                    return
                continue
            with self._lock:
                if self._closed:
                    sock.close()
                    return
                self._open.add(sock)
            threading.Thread(target=self._converse, args=(sock,), name="luthier line", daemon=True).start()

    def _converse(self, sock: socket.socket) -> None:
        try:
            with sock, sock.makefile("rb") as file:
                while (line := file.readline(_LONGEST)).endswith(b"\n"):
                    sock.sendall(msgspec.json.encode(self._answered(line)) + b"\n")
        except OSError:
            pass  # it has gone
        finally:
            with self._lock:
                self._open.discard(sock)

    def _answered(self, line: bytes) -> dict[str, Any]:
        try:
            message = decode(line)
            if not isinstance(message, dict):
                raise TypeError("a message is an object of JSON")  # noqa: TRY301
            return {"ok": True, "halt": None, **self._answer(message)}
        except Exception as error:  # noqa: BLE001 (whatever a program sends)
            return {"ok": False, "halt": None, "error": f"{type(error).__name__}: {error}"}
