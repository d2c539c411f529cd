"""What a trial printed: its files ``stdout`` and ``stderr``, as lines of the table of output."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.tables import output

if TYPE_CHECKING:
    from pathlib import Path

_FILES = {"out": "stdout", "err": "stderr"}
_MOST = 1 << 20  # bytes of a file that are read at once; of a longer one, its end
_LONGEST = 10_000  # letters of a line


class Printed:
    """The two files of one trial.

    Args:
        folder: the trial's directory.

    Attributes:
        ended: whether the trial has come to its end, so that no more is to come.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.ended = folder, False
        self._seen, self._line = {"out": 0, "err": 0}, 0
        self._attempt: int | None = None

    def write(self, connection: sa.Connection, run: str, attempt: int) -> None:
        """Add the lines that are new to the output of *run*."""
        if attempt != self._attempt:
            self._attempt, self._line = attempt, 0
        made: list[dict[str, Any]] = []
        for stream in _FILES:
            for text in self._new(stream):
                made.append({"line": self._line, "stream": stream, "text": text[:_LONGEST]})
                self._line += 1
        if made:
            own = {"run_id": run, "attempt": attempt, "at": time.time()}
            connection.execute(sa.insert(output), [own | each for each in made])

    def _new(self, stream: str) -> list[str]:
        try:
            with (self._folder / _FILES[stream]).open("rb") as file:
                size = file.seek(0, 2)
                begin = min(self._seen[stream], size)  # it was cut: its end is known
                begin = max(begin, size - _MOST)
                file.seek(begin)
                text = file.read(_MOST)
        except OSError:
            return []
        whole = len(text) if self.ended else text.rfind(b"\n") + 1
        self._seen[stream] = begin + whole
        return text[:whole].decode("utf-8", "replace").replace("\x00", "\ufffd").splitlines()
