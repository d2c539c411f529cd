"""Experiments of Tuners, sent here: their logs, event by event, and the same views of them as of sweeps."""

from __future__ import annotations

import math
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.errors import BadArgument, CorruptLog, DamagedRecord, IllegalEvent, NewerFormat
from luthier.core.goal import Goal
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import AUTOMATIC
from luthier.server.folding import About, fold
from luthier.server.missing import NotThere
from luthier.server.sweeping import LETTERS, UNSORTED, checked_words, project_id
from luthier.server.tables import events as log
from luthier.server.tables import history, runs, sweeps
from luthier.server.texts import text
from luthier.store.codec import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from luthier.store.base import Record

KIND = "experiment"
STATES = ("RUNNING", "PAUSED", "FINISHED", "FAILED")  # paused: it was interrupted, and can go on
KEPT = 50  # experiments in memory at most
_SHOWN = {"training_iteration", "time_total_s"}  # of what is in each result by itself


class _Folded(msgspec.Struct):
    """An experiment as far as its log is known here."""

    state: ExperimentState
    length: int = 0
    best: tuple[float, str] | None = None


class Experiments:
    """Takes logs in.  What it keeps in memory is only there to be quick: the row says how long the log is."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Folded] = OrderedDict()

    def create(
        self,
        connection: Connection,
        name: str,
        project: str | None,
        goal: Goal | None,
        config: str,
        now: float,
    ) -> str:
        """Make room for an experiment, and return its id.

        Args:
            connection: in a transaction that writes.
            name: what people call it.
            project: where it belongs.
            goal: what it optimises, if anything.
            config: the search space in words.
            now: unix seconds.
        """
        for what, words in (("name", name), ("metric", "" if goal is None else goal.metric)):
            checked_words(what, words)
        checked_words("config", config, 1_000_000)
        made = "".join(secrets.choice(LETTERS) for _ in range(8))
        connection.execute(
            sa.insert(sweeps).values(
                id=made,
                project_id=project_id(connection, project or UNSORTED, now),
                kind=KIND,
                name=name or made,
                config=config,
                seed=0,
                metric=None if goal is None else goal.metric,
                mode=None if goal is None else goal.mode,
                state="PENDING",
                created_at=now,
                updated_at=now,
            )
        )
        return made

    def take(
        self,
        connection: Connection,
        experiment: str,
        lines: Sequence[bytes],
        now: float,
        state: str = "RUNNING",
        expected: int | None = None,
    ) -> int:
        """Append *lines* of a log (those that are known are passed over); return how many events it has then.

        A first line that begins beyond the end is not taken: the length that is returned says from where to send.

        Raises:
            NotThere: there is no such experiment.
            BadArgument: a line is none of a log, or the log tells what cannot be.
        """
        if state not in STATES:
            raise BadArgument("state", state, f"one of {', '.join(STATES)}")
        chosen = sa.select(sweeps).where(sweeps.c.id == experiment, sweeps.c.kind == KIND).with_for_update()
        row = connection.execute(chosen).one_or_none()
        if row is None:
            raise NotThere("experiment", experiment)
        folded = self._folded(connection, row)
        fresh: list[tuple[bytes, Record]] = []
        end = folded.length
        for line in lines:
            record = _record(line)
            if record.end <= end:
                continue
            if record.first != end:
                break
            fresh.append((line, record))
            end = record.end
        if fresh:
            self._append(connection, row, folded, fresh)
        best, sign = folded.best, -1.0 if row.mode == "max" else 1.0
        over = state in {"FINISHED", "FAILED"}
        connection.execute(
            sa.update(sweeps)
            .where(sweeps.c.id == experiment)
            .values(
                state=state,
                length=folded.length,
                updated_at=fresh[-1][1].at if fresh else row.updated_at,
                ended_at=(fresh[-1][1].at if fresh else now) if over else None,
                expected=len(folded.state.trials) if over else expected,
                best_run=None if best is None else best[1],
                best_value=None if best is None else sign * best[0],
            )
        )
        return folded.length

    def _folded(self, connection: Connection, row: Any) -> _Folded:
        found = self._kept.get(row.id)
        if found is None or found.length != row.length:
            goals = () if row.metric is None else (Goal(row.metric, row.mode),)
            found = self._kept[row.id] = _Folded(ExperimentState(goals))
            chosen = sa.select(log.c.line).where(log.c.sweep_id == row.id).order_by(log.c.first)
            for (line,) in connection.execute(chosen):
                _learn(found, decode(line, unpickle=False))
        self._kept.move_to_end(row.id)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def _append(self, connection: Connection, row: Any, folded: _Folded, fresh: Sequence[tuple[bytes, Record]]) -> None:
        try:
            for _, record in fresh:
                _learn(folded, record)
        except (IllegalEvent, KeyError, ValueError) as error:
            del self._kept[row.id]
            raise BadArgument("lines", row.id, "a log that tells what can be", str(error)) from error
        records = [record for _, record in fresh]
        born = [e.trial for record in records for e in record.events if isinstance(e, ev.Proposed)]
        taken = connection.execute(sa.select(runs.c.id).where(runs.c.id.in_(born))).scalars().first() if born else None
        if taken is not None:
            del self._kept[row.id]
            raise BadArgument("lines", taken, "an experiment that is not here yet", f"there is a run {taken!r} already")
        stored = [{"sweep_id": row.id, "first": record.first, "line": line} for line, record in fresh]
        connection.execute(sa.insert(log), stored)
        fold(connection, About(row.id, row.project_id, folded.state, folded.state.goals), records)
        _write_history(connection, records)


def _learn(folded: _Folded, record: Record) -> None:
    goals = folded.state.goals
    for event in record.events:
        evolve(folded.state, event)
        if goals and isinstance(event, ev.Reported):
            score = goals[0].score(event.metrics)
            if score is not None and math.isfinite(score) and (folded.best is None or score < folded.best[0]):
                folded.best = (score, event.trial)
    folded.length = record.end


def _record(line: bytes) -> Record:
    try:
        return decode(line, unpickle=False)
    except (DamagedRecord, CorruptLog, NewerFormat) as error:
        raise BadArgument(
            "lines", line[:80].decode(errors="replace"), "lines of an experiment's log", str(error)
        ) from error


def _write_history(connection: Connection, records: Iterable[Record]) -> None:
    rows: list[dict[str, Any]] = []
    last: dict[tuple[str, int], tuple[int, float, str]] = {}
    for record in records:
        for event in record.events:
            if isinstance(event, ev.Reported):
                shown = {k: v for k, v in event.metrics.items() if k not in AUTOMATIC or k in _SHOWN}
                metrics = text(shown)
                place = {"run_id": event.trial, "attempt": event.attempt, "row": event.seq}
                rows.append({**place, "at": record.at, "metrics": metrics})
                last[event.trial, event.attempt] = (event.seq + 1, record.at, metrics)
    if rows:
        connection.execute(sa.insert(history), rows)
    for (run, attempt), (count, at, metrics) in last.items():
        here = sa.update(runs).where(runs.c.id == run, runs.c.attempt == attempt)
        connection.execute(here.values(rows=count, summary=metrics, heartbeat_at=at))
