"""What agents tell goes into the tables; what of it policies hear becomes stimuli."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.errors import BadArgument, NotStorable
from luthier.core.goal import number
from luthier.core.native import native
from luthier.core.terms import Outcome, Ref, TrialId
from luthier.server import wire
from luthier.server.tables import history, output, runs
from luthier.server.texts import text, value
from luthier.store.values import from_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from luthier.server.hosted import Hosted

_Read: TypeAlias = list[tuple[dict[str, Any], str]]  # values, and the same as a text of JSON
OUTCOMES = {
    "finished": Outcome.FINISHED,
    "failed": Outcome.ERROR,
    "halted": Outcome.HALTED,
    "left": Outcome.LEFT,
}
CHECKPOINT = "_checkpoint"  # in a row: the path of a file that the agent uploaded
LONGEST = 1_000_000  # characters of an error or of a line that are kept
_ROWS, _LINES = sa.insert(history), sa.insert(output)
_FIND = sa.select(runs.c.id, runs.c.attempt, runs.c.rows, runs.c.lines, runs.c.summary, runs.c.started_at).where(
    runs.c.id.in_(sa.bindparam("wanted", expanding=True))
)


class Unreadable(BadArgument):
    """What an agent said cannot be read; nothing of it was taken."""


class Tail(msgspec.Struct):
    """How far a run's history and output go, in its current attempt."""

    attempt: int
    rows: int
    lines: int
    summary: dict[str, Any]
    started: float
    iteration: int
    changes: dict[str, Any]


def take(
    connection: Connection, hosted: Hosted, agent: str, said: Sequence[wire.Said], now: float
) -> Iterator[ev.Reported | ev.Exited]:
    """Take what *agent* said, for :func:`write`, and yield in order what the engine is to hear.

    What is known already, and what belongs to an attempt that is not the agent's, is passed over.

    Raises:
        Unreadable: a value cannot be read.
    """
    readable = [_readable(item) for item in said]  # all of it, before any of it counts
    tails = _tails(connection, hosted, agent, said)
    for item, values in zip(said, readable, strict=True):
        tail = tails.get(item.run)
        if tail is None or item.attempt != tail.attempt:
            continue
        match item:
            case wire.Started():
                tail.changes["heartbeat_at"] = now
            case wire.Rows():
                yield from _rows(hosted, item, values, tail, now)
            case wire.Summary():
                tail.summary.update(values[0][0])
                tail.changes["summary"] = ""  # is told when it is written
            case wire.Output():
                _lines(hosted, item, tail)
            case wire.Exited():
                tail.changes["exit_code"] = item.code
                yield ev.Exited(TrialId(item.run), item.attempt, OUTCOMES[item.outcome], _storable(item.error))
                del tails[item.run]


def write(connection: Connection, hosted: Hosted) -> dict[str, dict[str, Any]]:
    """Store history and output; return what is to change in the rows of ``runs``, by their ids."""
    if hosted.rows:
        connection.execute(_ROWS, hosted.rows)
    if hosted.lines:
        connection.execute(_LINES, hosted.lines)
    for tail in hosted.tails.values():
        if "summary" in tail.changes:
            tail.changes["summary"] = text(tail.summary)
    changed = {run: tail.changes for run, tail in hosted.tails.items() if tail.changes}
    hosted.tails, hosted.rows, hosted.lines = {}, [], []
    return changed


def _tails(connection: Connection, hosted: Hosted, agent: str, said: Iterable[wire.Said]) -> dict[str, Tail]:
    held = hosted.held(agent)
    wanted = {item.run for item in said} & held.keys()
    found = {run: hosted.tails[run] for run in wanted if run in hosted.tails}
    wanted -= found.keys()
    if not wanted:
        return found
    for row in connection.execute(_FIND, {"wanted": sorted(wanted)}):
        trial = hosted.engine.experiment.trials[row.id]
        iteration = (
            _whole(trial.metrics.get("training_iteration")) if trial.seq >= 0 else iteration_of(trial.checkpoint)
        )
        found[row.id] = Tail(row.attempt, row.rows, row.lines, value(row.summary), row.started_at or 0.0, iteration, {})
    hosted.tails.update(found)
    return found


def _rows(hosted: Hosted, item: wire.Rows, read: _Read, tail: Tail, now: float) -> Iterator[ev.Reported]:
    fresh = range(max(tail.rows - item.first, 0), len(item.rows))
    if not fresh:
        return
    heard = []
    for i in fresh:
        values, metrics = read[i]
        place, at = item.first + i, item.at[i] if i < len(item.at) else now
        told = {"run_id": item.run, "attempt": item.attempt, "row": place, "at": at, "metrics": metrics}
        hosted.rows.append(told)
        checkpoint = values.pop(CHECKPOINT, None)
        tail.summary.update(values)
        news = hosted.plan.news(values)
        if news or checkpoint is not None:
            heard.append(_report(item, place, values, news, checkpoint, tail, at))
    tail.rows = item.first + len(item.rows)
    tail.changes.update(rows=tail.rows, summary="", heartbeat_at=now)
    yield from heard


def _report(
    item: wire.Rows,
    place: int,
    values: dict[str, Any],
    news: dict[str, Any],
    checkpoint: object,
    tail: Tail,
    at: float,
) -> ev.Reported:
    tail.iteration = _whole(values.get("training_iteration"), tail.iteration + 1)
    metrics = {
        "training_iteration": tail.iteration,
        "time_total_s": number(values.get("time_total_s")) or max(at - tail.started, 0.0),
        **news,
    }
    ref = Ref(f"{item.run}/{checkpoint}@{tail.iteration}") if isinstance(checkpoint, str) else None
    return ev.Reported(TrialId(item.run), item.attempt, place, metrics, ref)


def _lines(hosted: Hosted, item: wire.Output, tail: Tail) -> None:
    fresh = range(max(tail.lines - item.first, 0), len(item.lines))
    if not fresh:
        return
    for i in fresh:
        at, stream, line = item.lines[i]
        hosted.lines.append(
            {
                "run_id": item.run,
                "attempt": item.attempt,
                "line": item.first + i,
                "at": at,
                "stream": "err" if stream == "err" else "out",
                "text": _storable(line),
            }
        )
    tail.lines = item.first + len(item.lines)
    tail.changes["lines"] = tail.lines


def _storable(line: str) -> str:
    return line[:LONGEST].replace("\x00", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL takes no NUL


def _readable(item: wire.Said) -> _Read:
    """Return the values of *item*, and each as a text to store."""
    match item:
        case wire.Rows():
            return [_read(row) for row in item.rows]
        case wire.Summary():
            return [_read(item.values)]
        case wire.Exited() if item.outcome not in OUTCOMES:
            raise Unreadable("outcome", item.outcome, f"one of {', '.join(OUTCOMES)}")
    return []


def _read(row: dict[str, Any]) -> tuple[dict[str, Any], str]:
    try:
        values = dict(row) if native(row) else from_json(row, unpickle=False)  # a copy: what is told stays as it is
        told = text(values)
    except (ValueError, KeyError, TypeError, RecursionError, NotStorable) as error:
        wanted = "values that JSON can say, NaN and infinities as tagged objects, not nested too deeply"
        raise Unreadable("rows", _shown(row), wanted) from error
    if not isinstance(values, dict):
        raise Unreadable("rows", _shown(row), "objects of metrics")
    return values, told


def _shown(row: object) -> str:
    try:
        return repr(row)[:200]
    except RecursionError:
        return "..."


def _whole(value: object, otherwise: int = 0) -> int:
    found = number(value)
    return int(found) if found is not None and abs(found) < 1e15 else otherwise  # noqa: PLR2004 (an exact integer)


def iteration_of(checkpoint: Ref | None) -> int:
    """Return after how many iterations *checkpoint* was saved.

    >>> iteration_of(Ref("abcd1234_00001/checkpoints/1-0.zip@7"))
    7
    """
    _, _, iteration = (checkpoint or "").rpartition("@")
    return int(iteration) if iteration.isdigit() else 0


def file_of(checkpoint: Ref) -> tuple[str, str]:
    """Return the run and the path of the file that *checkpoint* names.

    >>> file_of(Ref("abcd1234_00001/checkpoints/1-0.zip@7"))
    ('abcd1234_00001', 'checkpoints/1-0.zip')
    """
    name, _, _ = checkpoint.rpartition("@")
    run, _, path = name.partition("/")
    return run, path
