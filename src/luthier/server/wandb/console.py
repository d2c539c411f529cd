"""What a run printed, as W&B's client sends it: lines by their numbers, of which it may say some anew."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import sqlalchemy as sa

from luthier.server.ingest import LONGEST
from luthier.server.tables import output, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_LINE = re.compile(r"(ERROR )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?) ?(.*)", re.DOTALL)


def read(line: str, now: float) -> tuple[float, str, str]:
    """Return when *line* was printed (*now* where it does not say), on which stream, and its text.

    >>> read("ERROR 2026-11-20T21:41:40.5 oh", 0.0)
    (1795210900.5, 'err', 'oh')
    >>> read("hello", 7.0)
    (7.0, 'out', 'hello')
    """
    found = _LINE.fullmatch(line)
    if found is None:
        return now, "out", line
    at = dt.datetime.fromisoformat(found[2].removesuffix("Z")[:26]).replace(tzinfo=dt.UTC).timestamp()
    return at, "err" if found[1] else "out", found[3]


def write(connection: Connection, run: str, attempt: int, first: int, lines: Sequence[str], now: float) -> None:
    """Store *lines* from number *first* on; those that were there before are replaced."""
    if not lines or first < 0:
        return
    end = first + len(lines)
    own = (output.c.run_id == run, output.c.attempt == attempt)
    connection.execute(sa.delete(output).where(*own, output.c.line >= first, output.c.line < end))
    rows = []
    for number, line in enumerate(lines, first):
        at, stream, text = read(line, now)
        kept = text[:LONGEST].replace("\x00", "\N{REPLACEMENT CHARACTER}")
        rows.append({"run_id": run, "attempt": attempt, "line": number, "at": at, "stream": stream, "text": kept})
    connection.execute(sa.insert(output), rows)
    grown = sa.case((runs.c.lines < end, end), else_=runs.c.lines)
    connection.execute(sa.update(runs).where(runs.c.id == run, runs.c.attempt == attempt).values(lines=grown))


def errors(lines: Sequence[str]) -> str:
    """Return the last of *lines* that went to the error stream, as a text to show."""
    found = [text for line in lines for _, stream, text in [read(line, 0.0)] if stream == "err"]
    return "\n".join(found[-60:])
