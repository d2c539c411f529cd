"""What W&B's client calls a run, and which of ours that is.

A sweep's run that is tried again is another run to W&B's client, so that what is left of the attempt before cannot be
taken for it: the second attempt of ``fm923t32_00007`` is called ``fm923t32_00007-2``.  A run by itself is called as its
user says; where another project has one of that id, the id (not the name) gets the project's number.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import sqlalchemy as sa

from luthier.core.errors import BadArgument
from luthier.server.tables import runs

_OF_SWEEP = re.compile(r"([0-9a-z]{8}_[0-9]{5,12})(?:-([1-9][0-9]{0,5}))?")
_ODD = re.compile(r"[:;,#?/\\%\s\x00-\x1f]")
LONGEST = 128
# One of the two at most: an id with the project's number is made where the bare one is another project's.
_CALLED = sa.select(runs).where(
    runs.c.id.in_((sa.bindparam("name"), sa.bindparam("numbered"))), runs.c.project_id == sa.bindparam("project")
)


def called(run: str, attempt: int) -> str:
    """Return what W&B's client calls *attempt* of *run*.

    >>> called("fm923t32_00007", 1), called("fm923t32_00007", 2), called("mine:3", 4)
    ('fm923t32_00007', 'fm923t32_00007-2', 'mine-4')
    """
    name = run.partition(":")[0]
    return name if attempt <= 1 else f"{name}-{attempt}"


def name_of(row: Any) -> str:
    """Return what W&B's client calls the run of the table's *row*."""
    return called(row.id, row.attempt if row.sweep_id is not None else 1)


def parsed(name: str) -> tuple[str, int] | None:
    """Return which attempt of which run of a sweep is called *name*; None if it is the name of none.

    >>> parsed("fm923t32_00007-2"), parsed("fm923t32_00007"), parsed("mine")
    (('fm923t32_00007', 2), ('fm923t32_00007', 1), None)
    """
    found = _OF_SWEEP.fullmatch(name)
    return None if found is None else (found[1], int(found[2] or 1))


class Found(NamedTuple):
    """A run, and which attempt at it was named."""

    row: Any
    attempt: int

    @property
    def current(self) -> bool:
        """Whether the attempt is the one that is under way."""
        return self.row.sweep_id is None or (
            self.attempt == self.row.attempt and self.row.state in {"running", "stopping"}
        )


def find(connection: sa.Connection, project: int, name: str) -> Found | None:
    """Return the run that the client calls *name* in *project*; None if there is none."""
    row = connection.execute(_CALLED, {"name": name, "numbered": f"{name}:{project}", "project": project}).first()
    if row is not None:
        return Found(row, 1)
    found = find_of_sweep(connection, name)
    return found if found is not None and found.row.project_id == project else None


def find_of_sweep(connection: sa.Connection, name: str) -> Found | None:
    """Return the run of a sweep that the client calls *name*, in whichever project; None if there is none.

    An agent that was given nothing but the sweep's id does not tell its runs which project that is of.
    """
    known = parsed(name)
    if known is None:
        return None
    query = sa.select(runs).where(runs.c.id == known[0], runs.c.sweep_id.is_not(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else Found(row, known[1])


def free_id(connection: sa.Connection, project: int, name: str) -> str:
    """Return the id for a new run that is called *name* in *project*.

    Raises:
        BadArgument: it is no name for a run.
    """
    if not name or len(name) > LONGEST or _ODD.search(name) or not name.isprintable() or name in {".", ".."}:
        raise BadArgument("run", name[:LONGEST], f"up to {LONGEST} characters without spaces and without : ; , # ? / %")
    taken = connection.execute(sa.select(runs.c.id).where(runs.c.id == name)).scalar()
    return name if taken is None else f"{name}:{project}"
