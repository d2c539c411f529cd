"""Which runs W&B's client asks for, by its filters and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.tables import runs
from luthier.server.texts import value
from luthier.server.wandb.filters import holds, named, rank, ready
from luthier.server.wandb.naming import name_of
from luthier.server.wandb.states import word
from luthier.server.wandb.sweeps import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

AT_ONCE = 500
_FEW = {"yield_per": AT_ONCE}  # in memory
CREATED = "createdAt"


def chosen(
    connection: Connection, where: Sequence[ColumnElement[bool]], wish: Mapping[str, Any], order: str
) -> list[str]:
    """Return the ids of the runs *where* a filter holds, in an *order*: a name, after ``+`` or ``-``."""
    wish = ready(wish)
    key, downwards = named(order.lstrip("+-")), order.startswith("-")
    first = runs.c.created_at.desc() if downwards and key == CREATED else runs.c.created_at
    if not wish and key == CREATED:
        query = sa.select(runs.c.id).where(*where).order_by(first, runs.c.number)
        return list(connection.execute(query).scalars())
    rows = connection.execute(sa.select(runs).where(*where).order_by(first, runs.c.number), execution_options=_FEW)
    known = ((row.id, facts_of(row)) for row in rows)
    passed = [
        (rank(facts.get(key), downwards=downwards), run) for run, facts in known if not wish or holds(wish, facts)
    ]
    if key != CREATED:
        passed.sort(key=lambda pair: pair[0])
    return [run for _, run in passed]


def rows_of(connection: Connection, ids: Sequence[str]) -> Iterator[Any]:
    """Yield the rows of the runs called *ids*, in that order; those that are there no longer are left out."""
    for i in range(0, len(ids), AT_ONCE):
        some = ids[i : i + AT_ONCE]
        found = {row.id: row for row in connection.execute(sa.select(runs).where(runs.c.id.in_(some)))}
        yield from (found[run] for run in some if run in found)


def facts_of(row: Any) -> dict[str, Any]:
    """Return what filters may ask of a run."""
    about = value(row.about)
    return {
        "name": name_of(row),
        "displayName": row.name,
        "sweep": row.sweep_id,
        "state": word(row.state),
        "group": row.group or None,
        "jobType": about.get("job_type"),
        "tags": value(row.tags),
        "user": about.get("host"),
        CREATED: moment(row.created_at),
        "heartbeatAt": moment(row.heartbeat_at),
        **_flat("config", value(row.config)),
        **_flat("summary_metrics", value(row.summary)),
    }


def _flat(before: str, values: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, part in values.items():
        found[f"{before}.{name}"] = part
        if isinstance(part, dict):
            found.update(_flat(f"{before}.{name}", part))
    return found
