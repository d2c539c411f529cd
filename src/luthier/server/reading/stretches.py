"""The least and the greatest value of each stretch of a long history: found by the database, and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.core.goal import lookup, number
from luthier.server.reading.plain import parsed
from luthier.server.tables import history

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEPT = 512  # curves
_SAMPLES = 8  # rows of a stretch that are looked at where the database cannot do it
_HARD = frozenset('"\\')
_HUGE = 1e308


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """Rows from *first* to *last* of an attempt; the extremes are None where there is no finite value."""

    first: int
    last: int
    least: float | None
    greatest: float | None


class Stretches:
    """Extremes by run, attempt and metric.

    History only grows: of a curve that was asked for before, only the stretches that were not complete are read again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, str, int], tuple[list[Stretch], bool]] = OrderedDict()

    def read(
        self, connection: sa.Connection, run: str, attempt: int, metric: str, width: int, rows: int
    ) -> tuple[list[Stretch], bool]:
        """Return the stretches of *width* rows each, and whether every row was looked at.

        Args:
            connection: to the server's database.
            run: id of the run.
            attempt: which of its attempts.
            metric: name of the metric.
            width: of a stretch, in rows.
            rows: how many rows the attempt has.
        """
        key = (run, attempt, metric, width)
        with self._lock:
            known, exact = self._kept.get(key, ([], True))
        if not known or known[-1].last != rows - 1:
            complete = [part for part in known[: rows // width] if part.last - part.first + 1 == width]
            first = complete[-1].last + 1 if complete else 0
            added, all_seen = _extremes(connection, run, attempt, metric, width, first, rows)
            known, exact = [*complete, *added], exact and all_seen
        with self._lock:
            self._kept[key] = (known, exact)
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return known, exact


def _extremes(
    connection: sa.Connection, run: str, attempt: int, metric: str, width: int, first: int, rows: int
) -> tuple[list[Stretch], bool]:
    found: dict[int, tuple[float | None, float | None]] | None = None
    if not _HARD.intersection(metric):
        try:
            found = _asked(connection, run, attempt, metric, width, first, rows)
        except sa.exc.DBAPIError:  # a text or a number that the database has no place for
            connection.rollback()
    exact = found is not None
    if found is None:
        found = dict(_sampled(connection, run, attempt, metric, width, first, rows))
    stretches = []
    for begin in range(first, rows, width):
        least, greatest = found.get(begin // width, (None, None))
        stretches.append(Stretch(begin, min(begin + width, rows) - 1, least, greatest))
    return stretches, exact


def _asked(
    connection: sa.Connection, run: str, attempt: int, metric: str, width: int, first: int, rows: int
) -> dict[int, tuple[float | None, float | None]]:
    own = (history.c.run_id == run, history.c.attempt == attempt, history.c.row >= first, history.c.row < rows)
    postgres = connection.dialect.name == "postgresql"
    value = _on_postgres(metric) if postgres else _on_sqlite(metric)
    bucket = history.c.row // width
    inner = sa.select(bucket.label("bucket"), value.label("value")).where(*own).cte("found")
    inner = inner.prefix_with("MATERIALIZED")  # or else each row is parsed once for each use of its value
    known: sa.ColumnElement[Any] = inner.c.value
    if not postgres:
        known = sa.case((sa.func.typeof(known).in_(("integer", "real")), known))
    query = sa.select(inner.c.bucket, sa.func.min(known), sa.func.max(known)).group_by(inner.c.bucket)
    return {int(bucket): (_float(least), _float(greatest)) for bucket, least, greatest in connection.execute(query)}


def _on_sqlite(metric: str) -> sa.ColumnElement[Any]:
    def at(path: str) -> sa.ColumnElement[Any]:
        return sa.func.json_extract(history.c.metrics, path)

    if "/" not in metric:
        return at(f'$."{metric}"')
    nested = "$" + "".join(f'."{part}"' for part in metric.split("/"))
    return sa.func.coalesce(at(f'$."{metric}"'), at(nested))


def _on_postgres(metric: str) -> sa.ColumnElement[Any]:
    found = sa.cast(history.c.metrics, sa.JSON)
    here: sa.ColumnElement[Any] = found.op("->")(metric)
    if "/" in metric:
        parts = sa.cast(sa.literal(metric.split("/"), sa.ARRAY(sa.Text)), sa.ARRAY(sa.Text))
        here = sa.func.coalesce(here, found.op("#>")(parts))
    is_number = sa.func.json_typeof(here) == "number"
    return sa.case((is_number, sa.cast(here.op("#>>")(sa.cast(sa.literal("{}"), sa.ARRAY(sa.Text))), sa.Double)))


def _sampled(
    connection: sa.Connection, run: str, attempt: int, metric: str, width: int, first: int, rows: int
) -> Iterator[tuple[int, tuple[float | None, float | None]]]:
    """Yield the extremes of a few rows of each stretch."""
    step = max(1, width // _SAMPLES)
    for begin in range(first, rows, width):
        wanted = list(range(begin, min(begin + width, rows), step))
        query = sa.select(history.c.metrics).where(
            history.c.run_id == run, history.c.attempt == attempt, history.c.row.in_(wanted)
        )
        values = [number(lookup(parsed(row.metrics), metric)) for row in connection.execute(query)]
        known = [value for value in values if value is not None and abs(value) < _HUGE]
        if known:
            yield begin // width, (min(known), max(known))


def _float(value: object) -> float | None:
    found = number(value)
    return found if found is not None and abs(found) < _HUGE else None
