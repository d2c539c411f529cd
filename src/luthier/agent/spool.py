"""What waits to be told: in memory as far as there is room, then in a file."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROOM = 4 << 20


class Spool:
    """A queue of numbered texts, each with a time; taken from the front only once somebody has them.

    Args:
        file: where goes what memory has no room for; made when it is needed, deleted by :meth:`close`.
        room: bytes that may wait in memory.

    Attributes:
        first: number of the text at the front.

    >>> from pathlib import Path
    >>> spool = Spool(Path("unused"))
    >>> spool.add(1.0, b"a"), spool.add(2.0, b"b")
    (0, 1)
    >>> list(spool.front(100))
    [(1.0, b'a'), (2.0, b'b')]
    >>> spool.drop(1); spool.first, len(spool)
    (1, 1)
    """

    def __init__(self, file: Path, room: int = _ROOM) -> None:
        self._path, self._room = file, room
        self._memory: deque[tuple[float, bytes]] = deque()
        self._size = self._filed = 0
        self._writer: IO[bytes] | None = None
        self._reader: IO[bytes] | None = None
        self.first = 0

    def __len__(self) -> int:
        return len(self._memory) + self._filed

    @property
    def next(self) -> int:
        """The number that the next text gets."""
        return self.first + len(self)

    def add(self, at: float, text: bytes) -> int:
        """Put *text* (without a newline) at the end; return its number."""
        number = self.next
        if self._filed or (self._memory and self._size + len(text) > self._room):
            self._file(at, text)
        else:
            self._memory.append((at, text))
            self._size += len(text)
        return number

    def front(self, size: int) -> Iterator[tuple[float, bytes]]:
        """Give what is at the front: about *size* bytes, at least one text where there is any."""
        self._refill()
        given = 0
        for at, text in self._memory:
            if given and given + len(text) > size:
                return
            given += len(text) + 24
            yield at, text

    def drop(self, count: int) -> None:
        """Forget *count* texts at the front."""
        for _ in range(count):
            _, text = self._memory.popleft()
            self._size -= len(text)
        self.first += count
        self._refill()

    def close(self) -> None:
        """Forget all, and delete the file."""
        for file in (self._writer, self._reader):
            if file is not None:
                with contextlib.suppress(OSError):  # the disk is full, perhaps: what is in it is not wanted any more
                    file.close()
        self._writer = self._reader = None
        self._memory.clear()
        with contextlib.suppress(OSError):  # the program can do with the directory what it likes
            self._path.unlink()

    def _file(self, at: float, text: bytes) -> None:
        if self._writer is None:
            self._writer = self._path.open("wb")
            self._reader = self._path.open("rb")
        self._writer.write(b"%r %b\n" % (at, text))
        self._filed += 1

    def _refill(self) -> None:
        if not self._filed or self._memory:
            return
        assert self._writer is not None and self._reader is not None  # noqa: S101, PT018 (something was filed)
        self._writer.flush()
        while self._filed and self._size < self._room:
            at, _, text = self._reader.readline().rstrip(b"\n").partition(b" ")
            self._memory.append((float(at), text))
            self._size += len(text)
            self._filed -= 1
        if not self._filed:
            for file in (self._writer, self._reader):
                file.close()
            self._writer = self._reader = None
            self._path.unlink(missing_ok=True)
