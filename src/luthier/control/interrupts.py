"""Interrupts: Ctrl-C once saves and ends, twice ends at once."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import Self


class Interrupts:
    """While it is open, turns SIGINT and SIGTERM into a request to end, and restores the old handlers afterwards.

    In a thread other than the main one, signals cannot be caught: only :meth:`request` works there.

    Args:
        wake: called when a request comes, to end a wait (must be safe in a signal handler).
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._reason: str | None = None
        self._before: dict[int, Any] = {}
        self.terminated = False

    def reason(self) -> str | None:
        """Return why the experiment is to end, if it is."""
        return self._reason

    def request(self, reason: str) -> None:
        """Ask for the end (from any thread)."""
        self._reason = self._reason or reason
        self._wake()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._reason is not None:
            if number == signal.SIGTERM:
                raise SystemExit(128 + number)
            raise KeyboardInterrupt
        self.terminated = number == signal.SIGTERM
        self.request("interrupted" if number == signal.SIGINT else "terminated")
