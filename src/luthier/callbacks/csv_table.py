"""``progress.csv``: a table whose columns grow with what is reported."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING, Any

from luthier.callbacks.row_text import cells_of
from luthier.callbacks.written import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BATCH = 1000  # rows that are in memory at once
_SMALL = 64 << 10  # bytes up to which a table is written anew without a thought


class Columns:
    r"""The columns of one table: those in the file, and those that came up since.

    New columns come after the old ones.  Rows are written under the file's own header, without the new columns, until
    the file is written anew; that happens when it has doubled since the last time, and at the end: the file is valid
    at any time, and writing it costs no more than a few times its length.

    >>> columns = Columns()
    >>> columns.lines([{"a": 1}, {"a": 2, "b": "x,y"}])
    b'a,b\n1,\n2,"x,y"\n'
    >>> columns.lines([{"a": 3, "c": 1}]), columns.stale
    (b'3,\n', True)
    """

    __slots__ = ("_keys", "_last", "_order", "names", "size", "written")

    def __init__(self, header: Iterable[str] = (), size: int = 0) -> None:
        self.names = dict.fromkeys(header)
        self.written = len(self.names)  # how many of them the file's header has
        self.size = self._last = size  # of the file: now, and when it was last written anew
        self._keys: list[str] = []
        self._order: list[int] | None = None

    @property
    def stale(self) -> bool:
        """Whether the file lacks columns."""
        return self.written < len(self.names)

    @property
    def due(self) -> bool:
        """Whether the file is to be written anew although more may come."""
        return self.stale and (self.size <= _SMALL or self.size >= 2 * self._last)

    def lines(self, rows: Iterable[Mapping[str, Any]]) -> bytes:
        """Return *rows* as text, after the header where the file has none yet."""
        arranged: list[list[Any]] = []
        if not self.written:
            rows = list(rows)
            for row in rows:
                self._learn(row)
            if not self.names:
                return b""
            self.written = len(self.names)
            arranged.append(list(self.names))
        width = self.written
        for row in rows:
            keys = list(row)
            if keys != self._keys:
                self._learn(row)
            if self._order is None:
                values = list(row.values())
                arranged.append(values if len(values) == width else (values + [None] * width)[:width])
            else:
                values = [None] * len(self.names)
                for position, value in zip(self._order, row.values(), strict=True):
                    values[position] = value
                arranged.append(values[:width])
        return _text(arranged)

    def _learn(self, row: Mapping[str, Any]) -> None:
        self._keys = list(row)
        for name in self._keys:
            self.names.setdefault(name)
        places = {name: i for i, name in enumerate(self.names)}
        order = [places[name] for name in self._keys]
        self._order = None if order == list(range(len(order))) else order

    def rewrite(self, path: str, results: str) -> None:
        """Write the table at *path* anew, with all columns, from the lines of JSON in the file *results*.

        Raises:
            OSError: one of the files cannot be read or written.
        """
        header = list(self.names)
        with replacing(path) as out:
            out.write(_text([header]))
            batch: list[list[Any]] = []
            for row in rows_in(results):
                cells = cells_of(row)
                batch.append([cells.get(name) for name in header])
                if len(batch) == _BATCH:
                    out.write(_text(batch))
                    batch.clear()
            out.write(_text(batch))
            size = out.tell()
        self.size = self._last = size
        self.written = len(header)


def _text(rows: Iterable[Iterable[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "backslashreplace")


def rows_in(path: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a ``result.json``; a last line that was cut short is left out."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def header_of(path: str) -> tuple[list[str], int]:
    """Return the header of the table at *path* and the file's size; nothing where there is none."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return next(csv.reader(file), []), os.fstat(file.fileno()).st_size
    except (OSError, UnicodeDecodeError, csv.Error):
        return [], 0
