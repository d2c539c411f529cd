"""The line from a program to the agent that runs it: JSON over a Unix socket, one answer for each line."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from luthier.core.errors import LuthierError
from luthier.store.values import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

VARIABLE = "LUTHIER_SOCKET"
_LARGEST = 1 << 20  # bytes of one row
_LONGEST_REASON = 500


class Stopped(SystemExit):
    """Raised by ``log`` in a run that is to end early: quiet, and ``finally`` blocks run.

    >>> issubclass(Stopped, Exception)
    False
    """

    def __init__(self, reason: str) -> None:
        super().__init__(0)
        self.reason = reason


class Line:
    """A connection to the agent; safe to use from any thread, and after a fork.

    Args:
        path: of the agent's socket.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._file: Any = None
        self._deaf = False

    def say(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send *message*; return the answer.  Where the agent is gone, nobody is told and the program goes on.

        Raises:
            LuthierError: the message is too large, or the agent refuses it; the text says why.
        """
        data = json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if len(data) > _LARGEST:
            raise LuthierError(
                f"a row of metrics may take {_LARGEST >> 20} MiB: save what is large as a file, or as a checkpoint"
            )
        if self._owner != os.getpid():  # the child of a fork: the lock may be held by nobody, the answers are others'
            self._lock, self._file, self._owner = threading.Lock(), None, os.getpid()
        with self._lock:
            answer = self._exchange(data)
        if not answer.get("ok", True):
            raise LuthierError(str(answer.get("error", "the agent refused what was said")))
        return answer

    def _exchange(self, data: bytes) -> dict[str, Any]:
        if self._deaf:
            return {}
        try:
            if self._file is None:
                self._file = _connected(self.path)
            self._file.write(data)
            self._file.flush()
            found = json.loads(self._file.readline())  # of nothing, where the agent has hung up: a ValueError
        except (OSError, ValueError):
            self._deaf, self._file = True, None
            return {}
        except BaseException:  # a signal's: whose answer comes next, nobody knows
            self._file = None
            raise
        return found if isinstance(found, dict) else {}

    def log(self, row: Mapping[str, Any], checkpoint: str | None = None) -> None:
        """Send a row of metrics, plain values; with the directory of a checkpoint if there is one.

        Raises:
            Stopped: the run is to end.
            LuthierError: the row is too large.
        """
        message = {"is": "row", "at": time.time(), "row": _told(to_json(dict(row)))}
        if checkpoint is not None:
            message["checkpoint"] = os.path.abspath(checkpoint)
        halt = self.say(message).get("halt")
        if halt:
            raise Stopped(str(halt)[:_LONGEST_REASON])


def _connected(path: str) -> Any:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    file = sock.makefile("rwb")
    sock.close()  # the file keeps it open
    return file


def _told(value: Any) -> Any:
    """Return JSON without pickles: what only a pickle can tell is told as it prints."""
    if isinstance(value, dict):
        if value.get("$") == "pickle":
            return str(value.get("shows") or f"<{value.get('type')}>")
        return {key: _told(inner) for key, inner in value.items()}
    return [_told(inner) for inner in value] if isinstance(value, list) else value


_lines: dict[str, Line] = {}


def line() -> Line | None:
    """Return the line to the agent that runs this program; None where there is none."""
    path = os.environ.get(VARIABLE)
    if not path or not hasattr(socket, "AF_UNIX"):
        return None
    if path not in _lines:
        _lines[path] = Line(path)
        end_quietly_on_sigterm()
    return _lines[path]


def rank() -> int:
    """Return which of the processes of a distributed training this is, as ``RANK`` says; 0 where there is one."""
    try:
        return int(os.environ.get("RANK") or 0)
    except ValueError:
        return 0


def end_quietly_on_sigterm() -> None:
    """Let SIGTERM end the program as ``sys.exit`` does, with ``finally`` blocks, unless it has a way of its own."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)


def _end(_signum: int, _frame: FrameType | None) -> None:
    raise Stopped("the agent ends the run")
