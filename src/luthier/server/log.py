"""The log of a sweep, in the table ``events``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from luthier.server.tables import events as table
from luthier.store.base import Record
from luthier.store.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from luthier.core.events import Event

_INSERT = sa.insert(table)
_SELECT = (
    sa.select(table.c.line)
    .where(table.c.sweep_id == sa.bindparam("sweep"), table.c.first >= sa.bindparam("after"))
    .order_by(table.c.first)
)


def append(connection: sa.Connection, sweep: str, batches: Sequence[Sequence[Event]], after: int, at: float) -> int:
    """Add *batches* to the log of *sweep*, which holds *after* events, and return how many it holds then.

    Whoever else appends there at the same time loses by the primary key; :class:`~luthier.server.roster.Roster` takes
    the sweep's row first, so that it does not come to that.

    Raises:
        NotStorable: a value in the events cannot be written.
        sqlalchemy.exc.IntegrityError: the log holds more than *after* events.
    """
    rows = []
    for batch in batches:
        rows.append({"sweep_id": sweep, "first": after, "line": encode(Record(after, at, tuple(batch)))})
        after += len(batch)
    if rows:
        connection.execute(_INSERT, rows)
    return after


def read(connection: sa.Connection, sweep: str, after: int = 0) -> Iterator[Record]:
    """Yield the batches of *sweep* from event number *after* on, which must be the first of a batch.

    What only a pickle could tell stays closed: nothing that came over the network is ever unpickled.

    Raises:
        CorruptLog: a line cannot be read.
        NewerFormat: the log was written by a newer Luthier.
    """
    for (line,) in connection.execute(_SELECT, {"sweep": sweep, "after": after}):
        yield decode(line, unpickle=False)
