"""A thread that does what it is told, one thing after the other, so that nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[..., object]

MOST = 50_000  # pieces of work that may wait
EVERY = 1.0  # seconds between two calls of *idle* while work goes on
_SURELY = 3  # failures in a row after which nobody waits for more
_SHORT = 5.0  # seconds to wait for somebody who fails
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # seconds before something is tried again


class Again(Exception):
    """What a piece of work raises that is to be tried again later, before anything else; its cause says why.

    >>> raise Again from ConnectionError("no route")
    Traceback (most recent call last):
    luthier.tune.logger.clerk.Again
    """


class Clerk:
    """Does work in a thread of its own, in order; what fails is told to *complain* and the next thing is done.

    What raises :class:`Again` is tried again after a pause, and the rest waits.

    Args:
        name: the thread's name.
        idle: called in the thread when there is nothing left to do, and every second while there is.
        complain: called in the thread with what a piece of work raised.

    Attributes:
        dropped: how many pieces of work were not done as too many waited.
        failed: how many failed.

    >>> clerk = Clerk("clerk", lambda: None, print)
    >>> clerk.post(print, "hello"); clerk.finish(9.0)
    hello
    True
    """

    def __init__(self, name: str, idle: Callable[[], None], complain: Callable[[BaseException], None]) -> None:
        self.dropped = self.failed = 0
        self._idle, self._complain = idle, complain
        self._work: deque[tuple[Work, tuple[Any, ...]]] = deque()
        self._news = threading.Condition()
        self._leaving = self._gone = self._given_up = False
        self._moved = time.monotonic()  # when something was done last
        self._in_a_row = self._tries = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def post(self, work: Work, *arguments: Any, needed: bool = True) -> None:
        """Have ``work(*arguments)`` done; what is not *needed* is left out where too much waits already."""
        with self._news:
            if not needed and len(self._work) >= MOST:
                self.dropped += 1
                return
            self._work.append((work, arguments))
            self._news.notify_all()

    def moved(self) -> None:
        """Be told, by work that takes long, that it gets on."""
        with self._news:
            self._moved = time.monotonic()

    def finish(self, patience: float) -> bool:
        """Wait until all is done, as long as it gets on; return whether it was done.

        Args:
            patience: seconds without anything done after which nobody waits any more; where the last things failed,
                five seconds at most.
        """
        with self._news:
            self._leaving = True
            self._moved = time.monotonic()
            self._news.notify_all()
            try:
                while not self._gone:
                    longest = min(patience, _SHORT) if self._in_a_row >= _SURELY else patience
                    left = self._moved + longest - time.monotonic()
                    if left <= 0:
                        return self._give_up()
                    self._news.wait(min(left, 0.2))
            except KeyboardInterrupt:
                return self._give_up()
        return True

    def _give_up(self) -> bool:
        self._given_up = True
        self._work.clear()
        return False

    def _run(self) -> None:
        due = time.monotonic() + EVERY
        while True:
            with self._news:
                if not self._work and not self._leaving:
                    self._news.wait(EVERY)
                item = self._work.popleft() if self._work else None
                last = self._given_up or (item is None and self._leaving)
            if item is not None and not last and not self._try(*item):
                self._pause(item)
                continue
            now = time.monotonic()
            if not self._given_up and (item is None or now >= due):
                due = now + EVERY
                self._try(self._idle, ())
            if last:
                with self._news:
                    self._gone = True
                    self._news.notify_all()
                return

    def _pause(self, item: tuple[Work, tuple[Any, ...]]) -> None:
        """Put *item* back, and wait."""
        pause = _PAUSES[min(self._tries, len(_PAUSES) - 1)]
        self._tries += 1
        with self._news:
            if self._given_up:
                return
            self._work.appendleft(item)
            if self._leaving:
                self._news.wait(_PAUSES[0])
            else:
                self._news.wait_for(lambda: self._leaving, pause)

    def _try(self, work: Work, arguments: tuple[Any, ...]) -> bool:
        """Do it; return whether it is over and done with."""
        try:
            work(*arguments)
        except Again as again:
            self._in_a_row = max(self._in_a_row + 1, _SURELY)  # somebody is away
            self._complain(again.__cause__ if isinstance(again.__cause__, Exception) else again)
            return False
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a tracker's library raises)
            self.failed += 1
            self._in_a_row += 1
            self._complain(error)
        else:
            if work is not self._idle:
                self._in_a_row = self._tries = 0
        self.moved()
        return True
