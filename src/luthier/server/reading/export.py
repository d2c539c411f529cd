"""Rows as CSV and as JSON, some at a time."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_AT_ONCE = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how a cell begins that spreadsheets compute
_FIRST = ("_attempt", "_row", "_at")


def as_csv(names: Sequence[str], rows: Iterable[Mapping[str, Any]], *, head: bool = True) -> Iterator[str]:
    r"""Yield *rows* as CSV with a column for each of *names*; values that are lists or dicts are JSON.

    Texts that a spreadsheet would take for formulas have an apostrophe in front: who wrote them is not who opens them.

    >>> "".join(as_csv(["a", "b"], [{"a": 1, "b": [2]}, {"a": "x,y"}]))
    'a,b\r\n1,[2]\r\n"x,y",\r\n'
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    if head:
        writer.writerow([_harmless(name) for name in names])
    for count, row in enumerate(rows, 1):
        writer.writerow([_cell(row.get(name)) for name in names])
        if count % _AT_ONCE == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def batches_csv(names: Sequence[str], batches: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    """Yield rows of history as CSV: columns are *names* and those that the first rows have."""
    first = next(batches, [])
    columns = dict.fromkeys([*_FIRST, *(name for row in first for name in row), *names])
    yield from as_csv(list(columns), first)
    for batch in batches:
        yield from as_csv(list(columns), batch, head=False)


def as_json(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    r"""Yield *rows* as a list in JSON.

    >>> b"".join(as_json([{"a": 1}, {"b": 2}]))
    b'[{"a":1},\n{"b":2}]'
    """
    buffer = bytearray(b"[")
    for count, row in enumerate(rows):
        if count:
            buffer += b",\n"
        buffer += msgspec.json.encode(row)
        if len(buffer) > 1 << 16:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer + b"]")


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return _harmless(value) if isinstance(value, str) else value


def _harmless(text: str) -> str:
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)  # "-inf", and numbers that are kept as texts
    except ValueError:
        return f"'{text}"
    return text
