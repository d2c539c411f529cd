"""What of an experiment's directory is up at the remote."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_NAME = ".uploaded.jsonl"
_GONE = (-1, -1)


class Journal:
    """Notes what was uploaded, so that a later process goes on where this one ended.

    It may lack what was uploaded last, which is then uploaded once more; it never tells of what is not up.

    Args:
        directory: the experiment's directory; the notes are in its ``.uploaded.jsonl``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     Journal(directory).note([("a/result.json", 10, 123)])
    ...     Journal(directory).has("a/result.json", 10, 123)
    True
    """

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, FILE_NAME)
        self._known: dict[str, tuple[int, int]] = {}
        with contextlib.suppress(FileNotFoundError), open(self._path, "rb") as file:
            for line in file:
                with contextlib.suppress(msgspec.DecodeError):  # a line that a crash cut short
                    name, size, stamp = msgspec.json.decode(line, type=tuple[str, int, int])
                    self._know(name, size, stamp)

    def has(self, name: str, size: int, stamp: int = 0) -> bool:
        """Return whether *name* is up with that *size* in bytes and that *stamp* (time of change)."""
        return self._known.get(name) == (size, stamp)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def names(self) -> list[str]:
        """Return all that is up."""
        return list(self._known)

    def note(self, uploaded: Iterable[tuple[str, int, int]]) -> None:
        """Take down what was just uploaded, each name with its size and stamp."""
        self._append(list(uploaded))

    def strike(self, names: Iterable[str]) -> None:
        """Take down what was just deleted."""
        self._append([(name, *_GONE) for name in names])

    def forget(self) -> None:
        """Begin anew: nobody knows what is up."""
        self._known.clear()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def _append(self, entries: list[tuple[str, int, int]]) -> None:
        for entry in entries:
            self._know(*entry)
        # A note that cannot be written (a full disk, say) costs an upload some day, no more.
        with contextlib.suppress(OSError), open(self._path, "ab") as file:
            file.write(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))

    def _know(self, name: str, size: int, stamp: int) -> None:
        if (size, stamp) == _GONE:
            self._known.pop(name, None)
        else:
            self._known[name] = size, stamp
