"""A run: what it tried, what it printed, its files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.missing import NotThere
from luthier.server.reading.plain import leaves, numeric, parsed, plain
from luthier.server.reading.shapes import Alone, File, Output, OutputLine, Run, RunLink
from luthier.server.tables import agents, files, output, projects, runs, sweeps

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LINES = 5000
_BATCH = 2000
_NAMES = 50  # rows of history that are looked at for names of metrics


def read_run(connection: sa.Connection, run: str) -> Run:
    """Return the run of the id *run*.

    Raises:
        NotThere: there is none.
    """
    query = (
        sa.select(runs, projects.c.name.label("project"), sweeps.c.metric, agents.c.name.label("agent"), agents.c.host)
        .join(projects, projects.c.id == runs.c.project_id)
        .outerjoin(sweeps, sweeps.c.id == runs.c.sweep_id)
        .outerjoin(agents, agents.c.id == runs.c.agent_id)
        .where(runs.c.id == run)
    )
    row = connection.execute(query).first()
    if row is None:
        raise NotThere("run", run)
    summary = leaves(row.summary)
    why = plain(parsed(row.why)) if row.why else {}
    tags = plain(parsed(row.tags))
    about = plain(parsed(row.about))
    return Run(
        id=row.id,
        sweep=row.sweep_id,
        project=row.project,
        number=row.number,
        name=row.name,
        state=row.state,
        config=leaves(row.config),
        summary=summary,
        metric=row.metric,
        value=row.value if row.value is not None and math.isfinite(row.value) else None,
        attempt=row.attempt,
        agent=row.agent,
        host=row.host,
        created_at=row.created_at,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        ended_at=row.ended_at,
        rows=row.rows,
        lines=row.lines,
        exit_code=row.exit_code,
        reason=row.reason,
        why=why if isinstance(why, dict) else {},
        error=row.error,
        group=row.group,
        tags=tags if isinstance(tags, list) else [],
        notes=row.notes,
        about=about if isinstance(about, dict) else {},
        metrics=_metrics(summary, row.metric),
        previous=_beside(connection, row, -1),
        next=_beside(connection, row, 1),
    )


def _metrics(summary: dict[str, Any], first: str | None) -> list[str]:
    numbers = [name for name, value in summary.items() if numeric(value)]
    return sorted(numbers, key=lambda name: name != first)


def _beside(connection: sa.Connection, row: sa.Row[Any], way: int) -> RunLink | None:
    if row.sweep_id is None:
        return None
    number = runs.c.number
    query = (
        sa.select(runs.c.id, runs.c.name, number, runs.c.state)
        .where(runs.c.sweep_id == row.sweep_id, number > row.number if way > 0 else number < row.number)
        .where(runs.c.state != "deleted")
        .order_by(number if way > 0 else number.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    return None if found is None else RunLink(id=found.id, name=found.name, number=found.number, state=found.state)


def read_output(
    connection: sa.Connection, run: str, *, attempt: int | None = None, first: int | None = None, limit: int = 500
) -> Output:
    """Return lines that *run* printed.

    Args:
        connection: to the server's database.
        run: id of the run.
        attempt: of which attempt; the current one where None.
        first: number of the first line, from 0; the last *limit* lines where None.
        limit: how many lines at most.

    Raises:
        NotThere: there is no such run.
    """
    current = connection.scalar(sa.select(runs.c.attempt).where(runs.c.id == run))
    if current is None:
        raise NotThere("run", run)
    limit = max(1, min(limit, MOST_LINES))
    chosen = current if attempt is None else attempt
    own = (output.c.run_id == run, output.c.attempt == chosen)
    last = connection.scalar(sa.select(sa.func.max(output.c.line)).where(*own))
    lines = 0 if last is None else last + 1
    begin = max(0, lines - limit) if first is None else max(0, first)
    query = sa.select(output).where(*own, output.c.line >= begin).order_by(output.c.line).limit(limit)
    items = [
        OutputLine(attempt=row.attempt, line=row.line, at=row.at, stream=row.stream, text=row.text)
        for row in connection.execute(query)
    ]
    return Output(run=run, attempt=chosen, attempts=current, lines=lines, first=begin, items=items)


def output_text(connection: sa.Connection, run: str) -> Iterator[str]:
    """Yield all that *run* printed, in parts, attempt by attempt."""
    key = sa.tuple_(output.c.attempt, output.c.line)
    after = (-1, -1)
    while True:
        query = sa.select(output.c.attempt, output.c.line, output.c.text).where(output.c.run_id == run, key > after)
        rows = connection.execute(query.order_by(output.c.attempt, output.c.line).limit(_BATCH)).all()
        if not rows:
            return
        yield "".join(f"{row.text}\n" for row in rows)
        after = (rows[-1].attempt, rows[-1].line)


def read_files(connection: sa.Connection, run: str) -> list[File]:
    """Return the files of *run*, by path.

    Raises:
        NotThere: there is no such run.
    """
    if connection.scalar(sa.select(runs.c.id).where(runs.c.id == run)) is None:
        raise NotThere("run", run)
    query = sa.select(files).where(files.c.run_id == run).order_by(files.c.path)
    return [File(path=row.path, size=row.size, sha256=row.sha256, at=row.at) for row in connection.execute(query)]


def read_alone(connection: sa.Connection, project: int, limit: int = 100) -> list[Alone]:
    """Return the runs of *project*, by its number, that belong to no sweep, the newest first."""
    query = (
        sa.select(runs.c.id, runs.c.name, runs.c.number, runs.c.state, runs.c.created_at)
        .where(runs.c.project_id == project, runs.c.sweep_id.is_(None), runs.c.state != "deleted")
        .order_by(runs.c.created_at.desc(), runs.c.id)
        .limit(limit)
    )
    return [Alone(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 (SQLAlchemy's public name)
