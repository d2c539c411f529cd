"""Ctrl-C for an agent: once to halt its runs and leave, twice to leave at once."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Self

_SAME_S = 2.0  # within which schedulers signal a job's processes, and scripts pass it on


class Signals:
    """While it is open, remembers SIGINT, SIGTERM and SIGHUP; in a thread other than the main one, none of them.

    SIGTERM or SIGHUP soon after the first one is the same word, by another way; a second Ctrl-C never is.

    Nobody is woken: a handler may come while the main thread has the very lock that waking somebody takes.

    Attributes:
        number: the first signal that came; 0 before.
        insisted: whether there was another.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self.number, self.insisted = 0, False
        self._first = 0.0

    @property
    def reason(self) -> str:
        """Why the agent is to leave; empty where no signal came."""
        return {0: "", signal.SIGINT: "interrupted"}.get(self.number, "terminated")

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if not self.number:
            self.number, self._first = number, time.monotonic()
        elif number == signal.SIGINT or time.monotonic() - self._first > _SAME_S:
            self.insisted = True
