"""An experiment's log, copied into the server's tables as it grows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.callbacks.spelling import plain_text
from luthier.core import events as ev
from luthier.core.errors import CorruptLog, IllegalEvent, NewerFormat
from luthier.core.goal import Goal, lookup, number
from luthier.server.database import writing
from luthier.server.folding import word
from luthier.server.tables import events, history, runs, sweeps
from luthier.server.viewing.printed import Printed
from luthier.store.card import DRIVER_ERROR, ExperimentCard
from luthier.store.codec import encode
from luthier.store.jsonl import JsonlStore
from luthier.store.tail import Tail
from luthier.store.values import to_json
from luthier.store.views import ExperimentRow, TrialRow

if TYPE_CHECKING:
    from pathlib import Path

    from luthier.store.base import Record

_AT_ONCE = 5000  # events in one transaction


class Copied:
    """One experiment.

    Args:
        database: a database of its own, with tables.
        directory: the experiment's.
        name: what it is called on pages.
        project: number of its project.

    Attributes:
        running: whether somebody wrote to it when it was looked at last.

    Raises:
        NotAnExperiment: there is none in *directory*.
    """

    def __init__(self, database: sa.Engine, directory: Path, name: str, project: int) -> None:
        self._database, self._directory, self._name, self._project = database, directory, name, project
        self.id = hashlib.sha256(str(directory.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:8]
        self._card = ExperimentCard.read(directory, unpickle=False)
        self._goal = Goal(self._card.metrics[0], self._card.modes[0]) if self._card.metrics else None
        self._store = JsonlStore(directory, readonly=True, unpickle=False)
        self.running, self._problem = False, ""
        self.begin()

    def begin(self) -> None:
        """Begin at the beginning of its log."""
        self._tail, self._row = Tail(self._directory, unpickle=False), ExperimentRow()
        self._rows: dict[str, tuple[int, int]] = {}  # attempt and rows of history, by trial
        self._known: dict[str, str] = {}
        self._printed: dict[str, Printed] = {}
        self._best: tuple[float, str, float] | None = None
        with writing(self._database) as connection:
            connection.execute(sa.delete(sweeps).where(sweeps.c.id == self.id))
            connection.execute(sa.insert(sweeps).values(
                id=self.id, project_id=self._project, kind="experiment", name=self._name, config=_about(self._card),
                seed=self._card.seed & 0x7FFFFFFFFFFFFFFF, state="PENDING", created_at=self._card.created,
                metric=self._goal and self._goal.metric, mode=self._goal and self._goal.mode,
                updated_at=self._card.created,
            ))  # fmt: skip

    def look(self) -> None:
        """Copy what is new.

        Raises:
            Conflict: a part of its log was taken back: :meth:`begin` anew.
        """
        self.running = self._store.writer() is not None  # first: what was written before it ended is read below
        batch: list[Record] = []
        count = 0
        try:
            for record in self._tail.look():
                batch.append(record)
                count += len(record.events)
                if count >= _AT_ONCE:
                    self._copy(batch)
                    batch, count = [], 0
        except (CorruptLog, NewerFormat) as error:
            self._problem = f"its log cannot be read further: {error}"
        self._copy(batch)

    def _copy(self, records: list[Record]) -> None:
        logged: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        touched: dict[str, None] = {}
        for record in records:
            logged.append({"sweep_id": self.id, "first": record.first, "line": encode(record)})
            try:
                self._row.add(record)
            except (IllegalEvent, KeyError) as error:
                self._problem = f"its log does not fit together: {error}"
                continue
            for event in record.events:
                trial = getattr(event, "trial", None)
                if trial is not None and trial in self._row.trials:
                    touched[trial] = None
                if isinstance(event, ev.Reported):
                    rows.append(self._logged(event, record.at))
        with writing(self._database) as connection:
            self._write_runs(connection, touched)
            for table, made in ((events, logged), (history, rows)):
                if made:
                    connection.execute(sa.insert(table), made)
            self._write_output(connection)
            self._write_head(connection)

    def _logged(self, event: ev.Reported, at: float) -> dict[str, Any]:
        attempt, count = self._rows.get(event.trial, (0, 0))
        count = count if attempt == event.attempt else 0
        self._rows[event.trial] = (event.attempt, count + 1)
        run = self._known.get(event.trial) or self._id(event.trial)
        return {"run_id": run, "attempt": event.attempt, "row": count, "at": at, "metrics": _text(event.metrics)}

    def _id(self, trial: str) -> str:
        """Return the run's id: the trial's own, or where another experiment (a copy) has that one, with ours."""
        with self._database.connect() as connection:
            taken = connection.scalar(sa.select(runs.c.sweep_id).where(runs.c.id == trial))
        found = trial if taken in {None, self.id} else f"{trial}~{self.id}"
        self._known[trial] = found
        return found

    def _write_runs(self, connection: sa.Connection, touched: dict[str, None]) -> None:
        new: list[dict[str, Any]] = []
        old: list[dict[str, Any]] = []
        there = {row.id for row in connection.execute(sa.select(runs.c.id).where(runs.c.sweep_id == self.id))}
        for trial in touched:
            row = self._row.trials[trial]  # type: ignore[index]  # a trial's id
            values = self._values(row)
            (old if values["id"] in there else new).append(values)
        if new:
            connection.execute(sa.insert(runs), new)
        for values in old:
            connection.execute(sa.update(runs).where(runs.c.id == values["id"]).values(values))

    def _values(self, row: TrialRow) -> dict[str, Any]:
        metrics = {name: value for name, value in row.metrics.items() if name != "config"}
        value = None if self._goal is None else number(lookup(metrics, self._goal.metric))
        run = self._known.get(row.id) or self._id(row.id)
        attempt, count = self._rows.get(row.id, (row.attempts, 0))
        if self._goal is not None and value is not None:
            score = self._goal.score(metrics)
            if score is not None and (self._best is None or score < self._best[0]):
                self._best = (score, run, value)
        return {
            "id": run, "sweep_id": self.id, "project_id": self._project, "number": row.number,
            "name": row.label.name or row.id, "state": word(row.status, in_full=row.in_full),
            "config": _text(row.config), "summary": _text(metrics), "value": value, "attempt": row.attempts,
            "created_at": row.created,
            "started_at": row.started, "heartbeat_at": row.updated, "ended_at": row.ended,
            "rows": count if attempt == row.attempts else 0,
            "reason": row.reason if row.reason != row.error else "", "error": row.error,
            "about": _text({"folder": row.label.folder, "resources": row.resources}),
        }  # fmt: skip

    def _write_output(self, connection: sa.Connection) -> None:
        for trial, row in self._row.trials.items():
            if row.started is None or not row.label.folder:
                continue
            printed = self._printed.get(trial)
            if printed is None:
                printed = self._printed[trial] = Printed(self._directory / row.label.folder)
            elif row.ended is not None and printed.ended:
                continue
            printed.ended = row.ended is not None
            run = self._known.get(trial) or self._id(trial)
            printed.write(connection, run, row.attempts)

    def _write_head(self, connection: sa.Connection) -> None:
        state, reason = self._state()
        known = self._row.updated or self._card.created
        values: dict[str, Any] = {
            "state": state, "wanted": state, "reason": plain_text(reason), "length": self._row.events,
            "updated_at": known, "ended_at": None if self.running else known,
        }  # fmt: skip
        if self._best is not None:
            values |= {"best_run": self._best[1], "best_value": self._best[2]}
        connection.execute(sa.update(sweeps).where(sweeps.c.id == self.id).values(values))

    def _state(self) -> tuple[str, str]:
        if self.running:
            return "RUNNING", self._problem
        try:
            with (self._directory / DRIVER_ERROR).open(encoding="utf-8", errors="replace") as file:
                failure = file.readline().strip()
        except OSError:
            failure = ""
        if failure or self._problem:
            return "FAILED", failure or self._problem
        if self._row.finished:
            return "FINISHED", self._row.stopped
        return "PAUSED", "It was interrupted: luthier resume goes on with it."


def _text(value: object) -> str:
    return msgspec.json.encode(to_json(value)).decode()


def _about(card: ExperimentCard) -> str:
    told: dict[str, Any] = {
        "trainable": card.trainable,
        "optimises": ", ".join(f"{metric} ({mode})" for metric, mode in zip(card.metrics, card.modes, strict=False)),
        "num_samples": card.num_samples,
        "seed": card.seed,
        "made by": f"Luthier {card.version}",
    }
    lines = [f"{name}: {value}" for name, value in told.items() if value not in {"", None}]
    return "\n".join([*lines, *(["", card.space] if card.space else [])]) + "\n"
