"""Rows of history for W&B's client: all of them, or so many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.tables import history
from luthier.server.texts import value
from luthier.server.wandb.asked import Refused
from luthier.server.wandb.values import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

MOST = 100_000
MOST_CURVES = 100  # of a run in one answer: each reads its history


def wishes(specs: Sequence[str]) -> list[dict[str, Any]]:
    """Return what *specs* ask for, each of a curve.

    Raises:
        Refused: they are too many.
    """
    if len(specs) > MOST_CURVES:
        raise Refused(f"more than {MOST_CURVES} specs at once")
    return [mapping(spec) for spec in specs]


def rows_of(connection: Connection, run: Any, first: int = 0, end: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of *run*, in its current attempt, from *first* until before *end*; each has its ``_step``."""
    query = sa.select(history.c.row, history.c.at, history.c.metrics).where(
        history.c.run_id == run.id, history.c.attempt == run.attempt, history.c.row >= first
    )
    if end is not None:
        query = query.where(history.c.row < end)
    for row in connection.execute(query.order_by(history.c.row)):
        yield {"_step": row.row, "_timestamp": row.at, **value(row.metrics)}


def sampled(connection: Connection, run: Any, keys: Sequence[str], samples: int) -> list[dict[str, Any]]:
    """Return rows of *run* that have all of *keys*, and of each nothing else: *samples* of them, evenly spread."""
    wanted = [key for key in keys if key]
    found = [row for row in rows_of(connection, run) if all(key in row for key in wanted)]
    most = max(1, min(samples, MOST))
    if len(found) > most:
        found = [found[i * (len(found) - 1) // max(most - 1, 1)] for i in range(most)]
    return [{key: row[key] for key in wanted} for row in found] if wanted else found
