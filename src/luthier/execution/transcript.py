"""What trials print: kept from growing without bounds, shown where asked."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

_KEPT = 1 << 20  # bytes of the end that stay when a file is cut
_SHOWN = 1 << 16  # bytes of one file that are echoed at a time
_BLOCK = 1 << 16  # bytes that an error message looks at


def tail(path: Path, lines: int) -> str:
    """Return the last *lines* lines of a text file; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _BLOCK))
            text = file.read(_BLOCK).decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


class Transcript:
    """The files ``stdout`` and ``stderr`` of one trial, seen from outside.

    Args:
        trial_dir: the trial's directory.
        name: what echoed lines begin with.
        limit: bytes that either file may have; None for any number.
        echo: whether what is printed is shown by the driver too.
    """

    def __init__(self, trial_dir: str, name: str, limit: int | None, *, echo: bool) -> None:
        self.stdout, self.stderr = Path(trial_dir) / "stdout", Path(trial_dir) / "stderr"
        self._name, self._limit, self._echo = name, limit, echo
        self._seen = {path: _size(path) for path in (self.stdout, self.stderr)} if echo else {}
        self._begun = {self.stdout: b"", self.stderr: b""}  # lines that have no end yet

    def size_of_stderr(self) -> int:
        """Return how many bytes have been written to ``stderr``, and are still there."""
        return _size(self.stderr)

    def attend(self, *, last: bool = False) -> None:
        """Echo what is new and cut what is too long; *last* when nothing more will come."""
        for path in (self.stdout, self.stderr):
            size = _size(path)
            if self._echo and (size > self._seen[path] or last):
                self._show(path, size, last=last)
            if self._limit is not None and size > self._limit:
                self._cut(path)

    def _show(self, path: Path, size: int, *, last: bool) -> None:
        start, skipped = self._seen[path], 0
        if size - start > _SHOWN:
            skipped = size - start - _SHOWN
            start += skipped
        try:
            with path.open("rb") as file:
                file.seek(start)
                new = file.read(size - start)
        except OSError:
            return
        self._seen[path] = size
        text = (b"" if skipped else self._begun[path]) + new
        whole, newline, self._begun[path] = text.rpartition(b"\n")
        if last or len(self._begun[path]) > _SHOWN:
            whole, self._begun[path] = whole + newline + self._begun[path], b""
        lines = whole.decode("utf-8", "replace").splitlines()
        if skipped:
            lines[:1] = [f"[{skipped} bytes are not shown; all is in {path}]"]
        if lines:
            stream = sys.stdout if path is self.stdout else sys.stderr
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, narrow, or None: no console
                stream.write("".join(f"({self._name}) {line}\n" for line in lines))
                stream.flush()

    def _cut(self, path: Path) -> None:
        """Move the end into a file beside it, and empty it.  The trial appends: it goes on at the new beginning.

        What it writes between the two is lost, but what it writes is never out of order.
        """
        assert self._limit is not None  # noqa: S101 (for the type checker)
        kept = min(_KEPT, self._limit // 2)
        try:
            with path.open("r+b") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(size - kept)
                end = file.read(kept)
                note = f"[luthier: {size - kept} bytes were cut here: more than {self._limit} had been printed]\n"
                path.with_name(f"{path.name}.1").write_bytes(note.encode() + end[end.find(b"\n") + 1 :])
                file.truncate(0)
        except OSError:
            return  # gone, or no room even for that: it is only output
        if self._echo:
            self._seen[path] = _size(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
