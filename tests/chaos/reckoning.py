"""What must be true of a sweep whatever was killed while it ran."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.core import events as ev
from luthier.server import log
from luthier.server.tables import events, history, runs, sweeps
from luthier.server.texts import value
from tests.chaos import trial
from tests.chaos.marks import check_never_twice_at_once, lives

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def state_of(engine: sa.Engine, sweep: str) -> str:
    """Return the state of *sweep*."""
    with engine.connect() as connection:
        found = connection.execute(sa.select(sweeps.c.state).where(sweeps.c.id == sweep)).scalar_one()
        assert isinstance(found, str)
        return found


def reckon(
    engine: sa.Engine,
    sweep: str,
    marks: Path,
    count: int,
    *,
    killed: Counter[str],
    max_failures: int,
    grid: Collection[float] = (),
) -> Counter[str]:
    """Check a sweep of *count* runs that has ended; return how much of what there was.

    Args:
        engine: of its database.
        sweep: its id.
        marks: what its trials wrote down.
        count: how many runs there must be.
        killed: how often a trial of each run was killed by itself.
        max_failures: how often a run that fails is tried again; -1: for ever.
        grid: the values of its parameter, where it walks a grid.
    """
    with engine.connect() as connection:
        found = list(connection.execute(sa.select(runs).where(runs.c.sweep_id == sweep).order_by(runs.c.number)))
        about = connection.execute(sa.select(sweeps).where(sweeps.c.id == sweep)).one()
        records = list(log.read(connection, sweep))
        stored = list(connection.execute(sa.select(history).order_by(history.c.run_id, history.c.row)))
        batches = connection.execute(
            sa.select(sa.func.count()).select_from(events).where(events.c.sweep_id == sweep)
        ).scalar_one()
    assert about.state == "FINISHED", about
    assert [row.number for row in found] == list(range(count)), [(row.number, row.state) for row in found]
    if grid:
        assert sorted(value(row.config)["x"] for row in found) == sorted(grid)
    check_never_twice_at_once(marks)
    seen = lives(marks)
    rows: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for row in stored:
        rows[row.run_id, row.attempt].append(row)
    for row in found:
        if row.state == "failed":
            assert max_failures >= 0 and killed[row.id] > max_failures, f"{row.id} failed without being killed: {row}"
            continue
        assert row.state == "finished", row
        mine = [life for life in seen if (life.run, life.attempt) == (row.id, row.attempt)]
        assert len(mine) == 1 and mine[0].ended, f"{row.id} is finished and was not at its end: {mine}"
        _check_history(row, rows[row.id, row.attempt])
    told = _check_log(records, found, about.length)
    assert batches == len(records)
    return told + Counter(
        runs=count, attempts=sum(row.attempt for row in found), failed=sum(row.state == "failed" for row in found)
    )


def _check_history(run: Any, stored: list[Any]) -> None:
    """Check that the history of the last attempt is whole, and of no other."""
    x = value(run.config)["x"]
    told = [value(row.metrics) for row in stored]
    wanted = [{"loss": trial.value(x, step), "step": step, "of": run.attempt} for step in range(trial.STEPS)]
    assert told == wanted, (run.id, run.attempt, told)
    assert [row.row for row in stored] == list(range(trial.STEPS))
    assert run.rows == trial.STEPS and value(run.summary) == wanted[-1], run


def _check_log(records: list[Any], found: list[Any], length: int) -> Counter[str]:
    """Check that nothing is missing in the log nor there twice, and that it says the same as the table."""
    after, launched, ended = 0, defaultdict(list), Counter[str]()
    for record in records:
        assert record.first == after, (record.first, after)
        after = record.end
        for event in record.events:
            if isinstance(event, ev.Launched):
                launched[event.trial].append(event.attempt)
            elif isinstance(event, ev.Ended):
                ended[event.trial] += 1
    assert after == length
    for row in found:
        assert launched[row.id] == list(range(1, row.attempt + 1)), (row.id, launched[row.id], row.attempt)
    assert ended == Counter({row.id: 1 for row in found})
    lost = sum(isinstance(event, ev.WorkerLost) and not event.on_purpose for r in records for event in r.events)
    return Counter({"agents lost": lost})
