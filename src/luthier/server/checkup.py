"""Is all well: the database, the logs and what was made of them, the files, the room on the disk."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import sqlalchemy as sa

from luthier.core.errors import LuthierError
from luthier.core.events import Reported
from luthier.core.goal import Goal, lookup, number
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Status
from luthier.server import log
from luthier.server.database import reach, reading, shown, snapshot
from luthier.server.folding import DELETED, STATES, word
from luthier.server.schema import newest, version
from luthier.server.tables import files, history, keys, runs, sweeps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from luthier.core.state import TrialState
    from luthier.server.shelf import Shelf

_SHOWN = 5  # of what is wrong in the same way
_ROOM = 1 << 30  # bytes
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Finding(NamedTuple):
    """What was looked at, and how it is."""

    level: Literal["ok", "warning", "error"]
    text: str


def check(engine: sa.Engine, shelf: Shelf, directory: Path) -> Iterator[Finding]:
    """Yield what is found, in order; nothing is changed, and servers may run meanwhile.

    Args:
        engine: of the database.
        shelf: the bytes of the runs' files.
        directory: where they lie.
    """
    try:
        kind = reach(engine)
        found = version(engine)
    except LuthierError as error:
        yield Finding("error", str(error))
        return
    yield Finding("ok", f"{shown(engine.url)} answers: {kind}")
    if found != newest():
        way = (
            "`luthier server migrate` brings it up to date" if found is None or found < newest() else "newer than this"
        )
        yield Finding("error", f"its tables have version {found}, this Luthier works with {newest()}: {way}")
        return
    yield Finding("ok", f"its tables have version {found}")
    if engine.dialect.name == "sqlite":
        yield _sqlite(engine)
    yield from _keys(engine)
    yield from _logs(engine)
    yield _histories(engine)
    yield from _files(engine, shelf, directory)
    yield from _places(engine, directory)


def _sqlite(engine: sa.Engine) -> Finding:
    with reading(engine) as connection:
        said = [row[0] for row in connection.exec_driver_sql("PRAGMA quick_check(5)")]
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if said != ["ok"]:
        return Finding("error", f"the database is damaged: {'; '.join(map(str, said))}")
    if lost:
        return Finding("error", f"{len(lost)} rows refer to ones that are not there, in {_some({r[0] for r in lost})}")
    return Finding("ok", "the database's pages and references are sound")


def _keys(engine: sa.Engine) -> Iterator[Finding]:
    query = sa.select(keys.c.role, sa.func.count()).where(keys.c.revoked_at.is_(None), keys.c.parent_id.is_(None))
    with reading(engine) as connection:
        roles = {role: count for role, count in connection.execute(query.group_by(keys.c.role))}  # noqa: C416 (of rows)
    if not roles:
        yield Finding("ok", "there are no keys: the server answers on this machine alone")
        return
    yield Finding("ok", "keys: " + ", ".join(f"{count} {role}" for role, count in sorted(roles.items())))
    if "admin" not in roles:
        yield Finding(
            "warning", "none of the keys is an admin's: new ones can be made by `luthier server key add` only"
        )


def _logs(engine: sa.Engine) -> Iterator[Finding]:
    with reading(engine) as connection:
        chosen = [
            row[0] for row in connection.execute(sa.select(sweeps.c.id).order_by(sweeps.c.created_at, sweeps.c.id))
        ]
    events = wrong = 0
    for sweep in chosen:
        with snapshot(engine) as connection:
            row = connection.execute(sa.select(sweeps).where(sweeps.c.id == sweep)).mappings().one_or_none()
            if row is None:  # deleted since
                continue
            try:
                differences = list(_sweep(connection, row))
            except (LuthierError, KeyError, ValueError, TypeError, AttributeError) as error:
                differences = [f"its log cannot be read: {type(error).__name__}: {error}"]
        events += row["length"]
        wrong += bool(differences)
        if differences:
            more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            yield Finding("error", f"sweep {sweep}: {'; '.join(differences[:_SHOWN])}{more}")
    if not wrong:
        yield Finding(
            "ok", f"{len(chosen)} sweeps: their logs ({events} events) are readable, and the tables agree with them"
        )


def _sweep(connection: sa.Connection, row: sa.RowMapping) -> Iterator[str]:
    """Yield where the log of a sweep and its row and runs differ."""
    goals = (Goal(row["metric"], row["mode"]),) if row["metric"] and row["mode"] else ()
    experiment, length, best = ExperimentState(goals), 0, math.inf
    for record in log.read(connection, row["id"]):
        if record.first != length:
            yield f"its log goes on at event {record.first} after {length}"
        for event in record.events:
            evolve(experiment, event)
            if isinstance(event, Reported) and goals:
                score = goals[0].score(event.metrics)
                best = score if score is not None and math.isfinite(score) and score < best else best
        length = record.end
    if length != row["length"]:
        yield f"its log has {length} events, its row says {row['length']}"
    if not length:
        return
    told = None if math.isinf(best) else -best if row["mode"] == "max" else best
    if told != row["best_value"]:
        yield f"its best value is {row['best_value']!r}, by its log {told!r}"
    columns = (runs.c.id, runs.c.number, runs.c.name, runs.c.state, runs.c.attempt, runs.c.value)
    shown_runs = {
        r["id"]: r for r in connection.execute(sa.select(*columns).where(runs.c.sweep_id == row["id"])).mappings()
    }
    for missing in experiment.trials.keys() - shown_runs.keys():
        yield f"run {missing} is in its log alone"
    for each, stored in shown_runs.items():
        trial = experiment.trials.get(each)
        if trial is None:
            yield f"run {each} is not in its log"
            continue
        expected = _told(trial, goals)
        if stored["state"] == DELETED:
            expected["state"] = DELETED
        elif trial.in_full and stored["state"] == STATES[Status.STOPPED]:
            expected["state"] = stored["state"]  # by a server of earlier, which told them not apart
        for name, value in expected.items():
            if stored[name] != value:
                yield f"run {each}: {name} is {stored[name]!r}, by its log {value!r}"


def _told(trial: TrialState, goals: tuple[Goal, ...]) -> dict[str, object]:
    value = number(lookup(trial.metrics, goals[0].metric)) if goals else None
    if value is not None and value - value != 0.0:  # not finite
        value = None
    told = {"number": trial.number, "name": trial.label.name, "state": word(trial.status, in_full=trial.in_full)}
    return {**told, "attempt": trial.attempt, "value": value}


def _histories(engine: sa.Engine) -> Finding:
    last = (
        sa.select(
            history.c.run_id, history.c.attempt, sa.func.count().label("n"), sa.func.max(history.c.row).label("last")
        )
        .group_by(history.c.run_id, history.c.attempt)
        .subquery()
    )
    here = (last.c.run_id == runs.c.id) & (last.c.attempt == runs.c.attempt)
    odd = (
        sa.select(runs.c.id)
        .outerjoin(last, here)
        .where((sa.func.coalesce(last.c.n, 0) != runs.c.rows) | (sa.func.coalesce(last.c.last, -1) != runs.c.rows - 1))
    )
    with snapshot(engine) as connection:
        found = [row[0] for row in connection.execute(odd)]
    if found:
        return Finding("error", f"the history has other rows than these runs say: {_some(found)}")
    return Finding("ok", "the history has as many rows as the runs say")


def _files(engine: sa.Engine, shelf: Shelf, directory: Path) -> Iterator[Finding]:
    there = {name: size for name, size in _stored(directory)}  # noqa: C416 (pairs)
    with reading(engine) as connection:
        rows = connection.execute(sa.select(files.c.run_id, files.c.path, files.c.sha256, files.c.size)).all()
    lost = [f"{run}/{path}" for run, path, digest, _ in rows if not shelf.place(digest).exists()]
    cut = [f"{r}/{p}" for r, p, digest, size in rows if there.get(digest, size) != size]
    if lost:
        yield Finding("error", f"{len(lost)} files of runs are not in {directory}: {_some(lost)}")
    if cut:
        yield Finding("error", f"{len(cut)} files of runs have lost bytes: {_some(cut)}")
    orphans = there.keys() - {row[2] for row in rows}
    if orphans:
        size = sum(there[name] for name in orphans) / 1e6
        yield Finding(
            "warning", f"{len(orphans)} files in {directory} belong to no run ({size:.1f} MB): {_some(orphans)}"
        )
    if not lost and not cut:
        yield Finding("ok", f"{len(rows)} files of runs are there")


def _stored(directory: Path) -> Iterator[tuple[str, int]]:
    for place, _, names in os.walk(directory):
        for name in names:
            if _DIGEST.fullmatch(name):
                with contextlib.suppress(FileNotFoundError):
                    yield name, os.stat(os.path.join(place, name)).st_size


def _places(engine: sa.Engine, directory: Path) -> Iterator[Finding]:
    """Yield whether there is room, and whether others may look."""
    places, seen = [directory], set()
    if engine.dialect.name == "sqlite" and engine.url.database:
        database = Path(engine.url.database)
        places = [database.parent, directory]
        for path in (database, Path(f"{database}-wal")):
            if path.exists() and path.stat().st_mode & _OTHERS:
                yield Finding("warning", f"other users may open {path}: chmod 600 {path}")
    if directory.exists() and directory.stat().st_mode & _OTHERS:
        yield Finding("warning", f"other users may open {directory}: chmod 700 {directory}")
    for place in places:
        existing = next(path for path in (place.absolute(), *place.absolute().parents) if path.exists())
        device = existing.stat().st_dev
        if not os.access(existing, os.W_OK):
            yield Finding("error", f"{existing} cannot be written")
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(existing).free
        room = f"{free / 1e9:.1f} GB are free in {existing}"
        yield Finding("ok", room) if free >= _ROOM else Finding("warning", f"only {room}")


def _some(names: Iterable[str]) -> str:
    listed = sorted(map(str, names))
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
