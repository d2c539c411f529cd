"""Curves of a run, however long: of many rows the database itself finds the least and the greatest of each stretch."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.callbacks.spelling import flat
from luthier.core.goal import lookup, number
from luthier.server.missing import NotThere
from luthier.server.reading.plain import parsed, plain
from luthier.server.reading.shapes import History, HistoryRows, Series
from luthier.server.tables import history, runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from luthier.server.reading.stretches import Stretch, Stretches

POINTS, FEWEST, MOST_POINTS = 1000, 50, 5000
MOST_ROWS, MOST_METRICS = 5000, 100
_AT_ONCE = 2000
_ATTEMPTS = 1000
_CHUNK = 500
X_ROW, X_TIME = "row", "time"


class Attempt(msgspec.Struct, frozen=True):
    """Rows of one attempt: how many, and how many there are in the attempts before."""

    attempt: int
    rows: int
    before: int


def attempts(connection: sa.Connection, run: str) -> list[Attempt]:
    """Return the attempts of *run* that logged anything, each found by its last row alone.

    Raises:
        NotThere: there is no such run.
    """
    current = connection.scalar(sa.select(runs.c.attempt).where(runs.c.id == run))
    if current is None:
        raise NotThere("run", run)
    found: list[Attempt] = []
    before = 0
    for attempt in range(max(0, current - _ATTEMPTS), current + 1):
        last = connection.scalar(
            sa.select(history.c.row)
            .where(history.c.run_id == run, history.c.attempt == attempt)
            .order_by(history.c.row.desc())
            .limit(1)
        )
        if last is not None:
            found.append(Attempt(attempt, last + 1, before))
            before += last + 1
    return found


def read_rows(connection: sa.Connection, run: str, *, offset: int = 0, limit: int = 500) -> HistoryRows:
    """Return rows of *run* as they were logged, attempt by attempt.

    Raises:
        NotThere: there is no such run.
    """
    found = attempts(connection, run)
    items: list[dict[str, Any]] = []
    limit = max(1, min(limit, MOST_ROWS))
    for each in found:
        first = max(0, offset - each.before)
        if first < each.rows and len(items) < limit:
            items += _items(connection, run, each.attempt, first, limit - len(items))
    return HistoryRows(run=run, rows=sum(each.rows for each in found), offset=offset, items=items)


def all_rows(connection: sa.Connection, run: str) -> Iterator[list[dict[str, Any]]]:
    """Yield all rows of *run*, some at a time.

    Raises:
        NotThere: there is no such run.
    """
    for each in attempts(connection, run):
        first = 0
        while first < each.rows:
            rows = _items(connection, run, each.attempt, first, _AT_ONCE)
            if not rows:
                break
            yield rows
            first = rows[-1]["_row"] + 1


def _items(connection: sa.Connection, run: str, attempt: int, first: int, limit: int) -> list[dict[str, Any]]:
    query = _rows(run, attempt).where(history.c.row >= first).order_by(history.c.row).limit(limit)
    return [
        {"_attempt": attempt, "_row": row.row, "_at": row.at, **plain(dict(flat(parsed(row.metrics))))}
        for row in connection.execute(query)
    ]


def _rows(run: str, attempt: int) -> sa.Select[Any]:
    return sa.select(history.c.row, history.c.at, history.c.metrics).where(
        history.c.run_id == run, history.c.attempt == attempt
    )


def curves(
    connection: sa.Connection,
    stretches: Stretches,
    run: str,
    metrics: Sequence[str],
    *,
    x: str = X_ROW,
    points: int = POINTS,
) -> History:
    """Return curves of *run*, each of about *points* points at most.

    A curve that is short enough is there row by row.  Of a longer one each stretch of rows has four points: its first
    and its last, exactly, and between them the least and the greatest value of the stretch.

    Args:
        connection: to the server's database.
        stretches: what is known of long curves.
        run: id of the run.
        metrics: names of metrics; parts of nested ones are joined by slashes.
        x: ``row``, ``time`` (seconds since the run's first row) or a metric.
        points: of one curve.

    Raises:
        NotThere: there is no such run.
    """
    found = attempts(connection, run)
    points = max(FEWEST, min(points, MOST_POINTS))
    total = sum(each.rows for each in found)
    names = list(islice(dict.fromkeys(metrics), MOST_METRICS))
    if total <= points:
        rows = _short(connection, run, found)
        series = [_exact(name, x, rows) for name in names]
    else:
        series = [_long(connection, stretches, run, name, x, found, total, points) for name in names]
    return History(run=run, rows=total, x=x, series=series)


def _short(connection: sa.Connection, run: str, found: list[Attempt]) -> list[tuple[int, float, dict[str, Any]]]:
    return [
        (each.before + row.row, row.at, parsed(row.metrics))
        for each in found
        for row in connection.execute(_rows(run, each.attempt).order_by(history.c.row))
    ]


def _exact(metric: str, x: str, rows: list[tuple[int, float, dict[str, Any]]]) -> Series:
    xs: list[float | None] = []
    ys: list[float | None] = []
    start = rows[0][1] if rows else 0.0
    for row, at, metrics in rows:
        value = number(lookup(metrics, metric))
        if value is not None:
            xs.append(_place(x, row, at - start, metrics))
            ys.append(value if math.isfinite(value) else None)
    return Series(metric=metric, x=xs, y=ys, downsampled=False, sampled=False)


def _place(x: str, row: int, seconds: float, metrics: dict[str, Any]) -> float | None:
    if x == X_ROW:
        return row
    if x == X_TIME:
        return seconds
    found = number(lookup(metrics, x))
    return found if found is not None and math.isfinite(found) else None


def _long(
    connection: sa.Connection,
    stretches: Stretches,
    run: str,
    metric: str,
    x: str,
    found: list[Attempt],
    total: int,
    points: int,
) -> Series:
    width = 1
    while 4 * total > width * points:
        width *= 2
    xs: list[float | None] = []
    ys: list[float | None] = []
    sampled = False
    start = connection.scalar(
        sa.select(history.c.at).where(history.c.run_id == run).order_by(history.c.attempt, history.c.row).limit(1)
    )
    for each in found:
        parts, exact = stretches.read(connection, run, each.attempt, metric, width, each.rows)
        sampled = sampled or not exact
        edges = _edges(connection, run, each, width, metric, x, start or 0.0)
        for part in parts:
            _add(xs, ys, part, edges)
    return Series(metric=metric, x=xs, y=ys, downsampled=True, sampled=sampled)


def _edges(
    connection: sa.Connection, run: str, each: Attempt, width: int, metric: str, x: str, start: float
) -> dict[int, tuple[float | None, float | None]]:
    """Return x and value of the first and of the last row of each stretch."""
    wanted = sorted({row for first in range(0, each.rows, width) for row in (first, min(first + width, each.rows) - 1)})
    found: dict[int, tuple[float | None, float | None]] = {}
    for begin in range(0, len(wanted), _CHUNK):
        chunk = wanted[begin : begin + _CHUNK]
        for row in connection.execute(_rows(run, each.attempt).where(history.c.row.in_(chunk))):
            metrics = parsed(row.metrics)
            value = number(lookup(metrics, metric))
            place = _place(x, each.before + row.row, row.at - start, metrics)
            found[row.row] = (place, value if value is not None and math.isfinite(value) else None)
    return found


def _add(
    xs: list[float | None], ys: list[float | None], part: Stretch, edges: dict[int, tuple[float | None, float | None]]
) -> None:
    first_x, first = edges.get(part.first, (None, None))
    last_x, last = edges.get(part.last, (None, None))
    xs.append(first_x)
    ys.append(first)
    if part.least is not None and part.greatest is not None and first_x is not None and last_x is not None:
        rising = first is None or last is None or first <= last
        pair = (part.least, part.greatest) if rising else (part.greatest, part.least)
        for share, value in zip((1 / 3, 2 / 3), pair, strict=True):
            xs.append(first_x + share * (last_x - first_x))
            ys.append(value)
    if part.last != part.first:
        xs.append(last_x)
        ys.append(last)
