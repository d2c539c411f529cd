"""What ``wandb sweep-scheduler`` asks for again and again: a sweep's state, and runs with samples of their history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from luthier.server.tables import runs
from luthier.server.wandb.choosing import chosen, rows_of
from luthier.server.wandb.filters import filter_of
from luthier.server.wandb.listing import node
from luthier.server.wandb.sampling import sampled, wishes
from luthier.server.wandb.sweeps import sweep_of
from luthier.server.wandb.values import place_of, strict

if TYPE_CHECKING:
    from luthier.server.wandb.asked import Asked


class Poll(msgspec.Struct, rename="camel"):
    """Which runs of a sweep, and what of their history."""

    sweep: str
    project: str | None = None
    filters: str | None = None
    first: int = 50
    cursor: str | None = None
    history_specs: list[str] = []


def of_sweep(asked: Asked, told: Poll) -> dict[str, Any]:
    """Tell of all runs of a sweep."""
    state, found = _polled(asked, told)
    return {"project": {"sweep": {"state": state, "runs": found}}}


def watched(asked: Asked, told: Poll) -> dict[str, Any]:
    """Tell of those that the filter names."""
    state, found = _polled(asked, told)
    return {"project": {"sweep": {"state": state}, "runs": found}}


def _polled(asked: Asked, told: Poll) -> tuple[str, dict[str, Any]]:
    wish, first = filter_of(told.filters), place_of(told.cursor)
    specs = wishes(told.history_specs)
    with asked.reading() as connection:
        sweep = sweep_of(asked, connection, told.sweep, told.project)
        where = (runs.c.sweep_id == sweep.id, runs.c.state != "deleted")
        ids = chosen(connection, where, wish, "+created_at")
        end = first + min(max(told.first, 1), 1000)
        edges = []
        for row in rows_of(connection, ids[first:end]):
            curves = [sampled(connection, row, _keys(spec), int(spec.get("samples") or 500)) for spec in specs]
            edges.append({"node": {**node(row), "sampledHistory": strict(curves)}})
    page = {"hasNextPage": end < len(ids), "endCursor": str(min(end, len(ids)))}
    return sweep.state, {"pageInfo": page, "edges": edges}


def _keys(spec: dict[str, Any]) -> list[str]:
    keys = spec.get("keys")
    return [str(key) for key in keys] if isinstance(keys, list) else []
