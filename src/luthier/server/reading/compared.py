"""Chosen runs beside each other: what differs between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.terms import AUTOMATIC
from luthier.server.reading.runs import read_run
from luthier.server.reading.shapes import Comparison, Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from luthier.server.reading.shapes import Run

MOST = 20


def compare(connection: sa.Connection, ids: Sequence[str]) -> Comparison:
    """Return the runs of *ids* beside each other.

    Raises:
        BadArgument: there are too many of them.
        NotThere: one of them is not there.
    """
    names = list(dict.fromkeys(ids))
    if len(names) > MOST:
        raise BadArgument("runs", f"{len(names)} runs", f"{MOST} at most")
    runs = [read_run(connection, name) for name in names]
    rows = [_row("state", "run", [run.state for run in runs]), _row("runtime", "run", [_runtime(run) for run in runs])]
    rows += _rows("config", [run.config for run in runs])
    rows += _rows("summary", [run.summary for run in runs])
    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics if name not in AUTOMATIC))
    return Comparison(runs=runs, rows=rows, metrics=metrics)


def _runtime(run: Run) -> float | None:
    end = run.ended_at or run.heartbeat_at
    return None if run.started_at is None or end is None else max(0.0, end - run.started_at)


def _rows(kind: str, values: Sequence[dict[str, Any]]) -> list[Difference]:
    names = dict.fromkeys(name for value in values for name in value if name not in AUTOMATIC)
    return [_row(name, kind, [value.get(name) for value in values]) for name in names]


def _row(name: str, kind: str, values: list[Any]) -> Difference:
    return Difference(name=name, kind=kind, values=values, differs=any(value != values[0] for value in values[1:]))
