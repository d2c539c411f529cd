"""Rows into a file: CSV, JSON, lines of JSON, or Parquet, as its name says."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.callbacks.row_text import json_text, plain
from luthier.callbacks.written import replacing
from luthier.cli.opened import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    Rows = Callable[[], Iterable[Mapping[str, Any]]]


def check_target(option: str, path: str) -> None:
    """Refuse a *path* that cannot be written because of its name, or of what is not installed.

    Raises:
        Refused: it is so.
    """
    kind = Path(path).suffix.lower()
    if kind not in _WRITERS:
        raise Refused(f"{option} {path}: give a name that ends with .csv, .json, .jsonl or .parquet")
    if kind == ".parquet":
        _pyarrow(f"{option} {path}")


def write_table(option: str, path: str, rows: Rows) -> int:
    """Write *rows* to *path* and return how many there were; the file appears when it is complete.

    Args:
        option: what to call *path* in an error.
        path: the file; its name's end says what is written.
        rows: gives the rows from the first on; asked twice for a table, whose columns must be known before it begins.
            More that are there the second time are left out.

    Raises:
        Refused: the file cannot be written.
    """
    check_target(option, path)
    try:
        with replacing(path) as file:
            return _WRITERS[Path(path).suffix.lower()](file, rows)
    except OSError as error:
        raise Refused(f"{option} {path} cannot be written: {error.strerror or error}") from error


def _write_csv(file: BinaryIO, rows: Rows) -> int:
    names, count = _names(rows())
    text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows([plain(row.get(name)) for name in names] for row in islice(rows(), count))
    text.flush()
    text.detach()
    return count


def _write_json(file: BinaryIO, rows: Rows) -> int:
    count = 0
    file.write(b"[")
    for row in rows():
        file.write((b",\n " if count else b"\n ") + json_text(plain(dict(row))))
        count += 1
    file.write(b"\n]\n")
    return count


def _write_lines(file: BinaryIO, rows: Rows) -> int:
    count = 0
    for row in rows():
        file.write(json_text(plain(dict(row))) + b"\n")
        count += 1
    return count


def _write_parquet(file: BinaryIO, rows: Rows) -> int:
    pa = _pyarrow("a .parquet file")
    from pyarrow import parquet

    names, count = _names(rows())
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for row in islice(rows(), count):
        for name, values in columns.items():
            values.append(plain(row.get(name)))
    parquet.write_table(pa.table({name: _column(pa, values) for name, values in columns.items()}), file)
    return count


def _column(pa: Any, values: list[Any]) -> Any:
    """Return *values* as a column of one type; as text where they have none in common."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError, UnicodeEncodeError):
        texts = [v if v is None or isinstance(v, str) else json_text(v).decode() for v in values]
        return pa.array([v if v is None else v.encode("utf-8", "backslashreplace").decode() for v in texts])


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow as pa
    except ImportError:
        raise Refused(
            f"{what}: Parquet takes pyarrow, which is not installed: pip install 'luthier[parquet]', or give a name "
            "that ends with .csv, .json or .jsonl"
        ) from None
    return pa


def _names(rows: Iterable[Mapping[str, Any]]) -> tuple[list[str], int]:
    """Return the columns of *rows* in the order in which they come up, and how many rows there are."""
    names: dict[str, None] = {}
    count = 0
    for row in rows:
        names.update(dict.fromkeys(row))
        count += 1
    return list(names), count


_WRITERS: Mapping[str, Callable[[BinaryIO, Rows], int]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".jsonl": _write_lines,
    ".parquet": _write_parquet,
}
