"""What a program prints, as lines: all of it within reason, then the latest of it and how much was lost."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BURST = 1 << 20  # bytes that may come at once
_RATE = 1 << 15  # bytes a second that may come for ever
_KEPT = 1 << 18  # bytes of the latest lines that are kept while there are too many
_LONGEST = 8192  # bytes of a line


class Lines:
    r"""Cuts what comes from a pipe into lines; of what a carriage return overwrites, the last stays.

    >>> lines = Lines()
    >>> lines.feed(b"10%\r20%\rdone\nnext"), lines.rest()
    (['done'], ['next'])
    """

    def __init__(self) -> None:
        self._begun = b""
        self._cut = 0

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete by now."""
        *whole, begun = data.split(b"\n")
        if not whole:
            self._begin(self._begun + begun)
            return []
        found = [self._line(self._begun + whole[0])]
        self._begun = b""
        found += [self._line(text) for text in whole[1:]]
        self._begin(begun)
        return found

    def rest(self) -> list[str]:
        """Return the line that has no end, if there is one."""
        text, self._begun = self._begun, b""
        return [self._line(text)] if text else []

    def _begin(self, text: bytes) -> None:
        """Keep the beginning of a line, no more of it than can be shown."""
        shown = text.rstrip(b"\r")
        at = shown.rfind(b"\r")
        if at >= 0:
            self._cut = 0
        text = shown[at + 1 :] + text[len(shown) : len(shown) + 1]
        if len(text) > _LONGEST:
            self._cut += len(text) - _LONGEST
            text = text[:_LONGEST]
        self._begun = text

    def _line(self, text: bytes) -> str:
        text = text.rstrip(b"\r")
        at = text.rfind(b"\r")
        if at >= 0:
            text, self._cut = text[at + 1 :], 0
        cut, self._cut = self._cut + max(0, len(text) - _LONGEST), 0
        shown = text[:_LONGEST].decode("utf-8", "replace").replace("\x00", "\ufffd")
        return f"{shown} [... {cut} bytes more]" if cut else shown


class Output:
    """Passes on the lines of one run, within bounds.

    Args:
        emit: takes lines: time, ``out`` or ``err``, text.

    Attributes:
        dropped: how many lines were lost.
    """

    def __init__(self, emit: Callable[[list[tuple[float, str, str]]], None]) -> None:
        self._emit = emit
        self._budget, self._at = float(_BURST), time.monotonic()
        self._latest: deque[tuple[float, str, str]] = deque()
        self._size = self._lines = self._bytes = self.dropped = 0

    def add(self, stream: str, lines: list[str]) -> None:
        """Pass lines on, or keep the latest of them for later."""
        now, at = time.monotonic(), time.time()
        self._budget = min(_BURST, self._budget + (now - self._at) * _RATE)
        self._at = now
        passed: list[tuple[float, str, str]] = []
        for text in lines:
            size = len(text) + 32
            if not self._latest and self._budget >= size:
                self._budget -= size
                passed.append((at, stream, text))
                continue
            self._latest.append((at, stream, text))
            self._size += size
            while self._size > _KEPT:
                _, _, lost = self._latest.popleft()
                self._size -= len(lost) + 32
                self._lines, self._bytes = self._lines + 1, self._bytes + len(lost) + 1
        if passed:
            self._emit(passed)
        if self._latest and self._budget >= self._size + _KEPT:
            self.flush()

    def flush(self) -> None:
        """Pass on what was kept, and say how much was lost."""
        kept, self._budget = list(self._latest), self._budget - self._size
        if self._lines:
            note = f"[luthier: {self._lines} lines ({self._bytes} bytes) were dropped here: too much was printed]"
            kept.insert(0, (kept[0][0] if kept else time.time(), "err", note))
        self.dropped += self._lines
        self._latest.clear()
        self._size = self._lines = self._bytes = 0
        if kept:
            self._emit(kept)
