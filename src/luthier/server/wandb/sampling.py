"""Rows of history for W&B's client: all of them, those between two steps, or so many.

However long a history is, no more than some hundred rows of it are in memory, beside those that were asked for.
"""

from __future__ import annotations

from array import array
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from luthier.core.goal import number
from luthier.server.tables import history
from luthier.server.texts import value
from luthier.server.wandb.asked import Refused
from luthier.server.wandb.values import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

T = TypeVar("T")
MOST = 100_000
MOST_CURVES = 100  # of a run in one answer: each reads its history

AT_ONCE = 500
_OWN = (history.c.run_id == sa.bindparam("run"), history.c.attempt == sa.bindparam("attempt"))
_FROM = (
    sa.select(history.c.row, history.c.at, history.c.metrics)
    .where(*_OWN, history.c.row >= sa.bindparam("first"))
    .order_by(history.c.row)
    .limit(sa.bindparam("most"))
)
_THESE = (
    sa.select(history.c.row, history.c.at, history.c.metrics)
    .where(*_OWN, history.c.row.in_(sa.bindparam("these", expanding=True)))
    .order_by(history.c.row)
)
_NUMBERS = sa.select(history.c.row).where(*_OWN).order_by(history.c.row)


def wishes(specs: Sequence[str]) -> list[dict[str, Any]]:
    """Return what *specs* ask for, each of a curve.

    Raises:
        Refused: they are too many.
    """
    if len(specs) > MOST_CURVES:
        raise Refused(f"more than {MOST_CURVES} specs at once")
    return [mapping(spec) for spec in specs]


def rows_of(connection: Connection, run: Any, first: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the rows of *run*, in its current attempt, from number *first* on; each has its ``_step``."""
    return (row for _, row in _numbered(connection, run, first))


def between(connection: Connection, run: Any, first: float, end: float) -> Iterator[dict[str, Any]]:
    """Yield the rows of *run* with steps from *first* until before *end*.

    W&B's client lets steps grow only, so that the first such row is found without reading all before it.
    """
    low, high = 0, run.rows
    while low < high:
        middle = (low + high) // 2
        place, row = next(_numbered(connection, run, middle, 1), (high, {}))
        if place < high and _step(place, row) < first:
            low = place + 1
        else:
            high = middle
    return (row for _, row in takewhile(lambda pair: _step(*pair) < end, _numbered(connection, run, low)))


def sampled(connection: Connection, run: Any, keys: Sequence[str], samples: int) -> list[dict[str, Any]]:
    """Return rows of *run* that have all of *keys*, and of each nothing else: *samples* of them, evenly spread."""
    wanted, most = [key for key in keys if key], max(1, min(samples, MOST))
    if wanted:
        having = (place for place, row in _numbered(connection, run) if all(key in row for key in wanted))
        places = array("q", having)
    else:
        places = array("q", connection.execute(_NUMBERS, _own(run)).scalars())
    rows = _these(connection, run, spread(places, most))
    return [{key: row[key] for key in wanted} for row in rows] if wanted else list(rows)


def spread(found: Sequence[T], most: int) -> Sequence[T]:
    """Return *most* of *found*, evenly spread: the first and the last are among them.

    >>> spread(range(100), 4), spread("abc", 4)
    ([0, 33, 66, 99], 'abc')
    """
    if len(found) <= most:
        return found
    return [found[i * (len(found) - 1) // max(most - 1, 1)] for i in range(most)]


def ends(connection: Connection, run: Any) -> list[dict[str, Any]]:
    """Return the first and the last row of *run*, as far as there are such."""
    last = rows_of(connection, run, max(run.rows - 1, 1))
    return [*_first(rows_of(connection, run)), *_first(last)]


def _first(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for _, row in zip(range(1), rows, strict=False)]


def _numbered(
    connection: Connection, run: Any, first: int = 0, at_once: int = AT_ONCE
) -> Iterator[tuple[int, dict[str, Any]]]:
    while True:
        rows = connection.execute(_FROM, {**_own(run), "first": first, "most": at_once}).all()
        for row in rows:
            yield row.row, _read(row)
        if len(rows) < at_once:
            return
        first = rows[-1].row + 1


def _these(connection: Connection, run: Any, places: Sequence[int]) -> Iterator[dict[str, Any]]:
    for i in range(0, len(places), AT_ONCE):
        these = list(places[i : i + AT_ONCE])
        for row in connection.execute(_THESE, {**_own(run), "these": these}).all():
            yield _read(row)


def _own(run: Any) -> dict[str, Any]:
    return {"run": run.id, "attempt": run.attempt}


def _read(row: Any) -> dict[str, Any]:
    return {"_step": row.row, "_timestamp": row.at, **value(row.metrics)}


def _step(place: int, row: dict[str, Any]) -> float:
    """Return a row's step; its number where it says none."""
    found = number(row["_step"])
    return place if found is None else found
