"""Rows whose values say where they belong, and whether a server has every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

METRICS = 10


def row(run: int, place: int, metrics: int = METRICS) -> dict[str, float]:
    """Return what run number *run* logs as its row *place*: no value comes twice.

    >>> row(3, 7, 2)
    {'m0': 300007.0, 'm1': 300007.125}
    """
    return {f"m{k}": 100_000 * run + place + k / 8 for k in range(metrics)}


def wrong(url: str, project: str, told: Mapping[str, int]) -> int:
    """Return how many rows are missing, too many or not as they were logged, in the database itself.

    Args:
        url: of the server's database.
        project: that the runs are in.
        told: of each run, called ``...-NUMBER``, how many rows it logged.
    """
    import sqlalchemy as sa

    from luthier.server.database import connect, reading
    from luthier.server.tables import history, projects, runs

    engine = connect(url)
    found: dict[str, list[tuple[int, bytes]]] = {name: [] for name in told}
    chosen = (
        sa.select(runs.c.id, history.c.row, history.c.metrics)
        .join(history, sa.and_(history.c.run_id == runs.c.id, history.c.attempt == runs.c.attempt))
        .join(projects, projects.c.id == runs.c.project_id)
        .where(projects.c.name == project)
        .order_by(runs.c.id, history.c.row)
    )
    with reading(engine) as connection:
        for name, place, metrics in connection.execute(chosen):
            found.setdefault(name.partition(":")[0], []).append((place, metrics))
    engine.dispose()
    return sum(_wrong(int(name.rpartition("-")[2]), rows, told.get(name, 0)) for name, rows in found.items())


def _wrong(run: int, rows: list[tuple[int, bytes]], wanted: int) -> int:
    right = beyond = 0
    for place, metrics in rows:
        values = msgspec.json.decode(metrics)
        logged = {name: value for name, value in values.items() if not name.startswith("_")}
        right += place < wanted and values.get("_step") == place and logged == row(run, place)
        beyond += place >= wanted
    return wanted - right + beyond
