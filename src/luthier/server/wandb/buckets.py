"""Runs as W&B's client makes, changes and resumes them; it calls them buckets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from fastapi import HTTPException

from luthier.server.auth.caller import Role
from luthier.server.tables import history, projects, runs
from luthier.server.texts import text, value
from luthier.server.wandb import plain
from luthier.server.wandb.asked import Asked, Refused
from luthier.server.wandb.naming import Found, find, find_of_sweep, name_of, parsed
from luthier.server.wandb.values import OWN, dumped, loaded, mapping, unwrapped, wrapped

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ABOUT = ("host", "program", "repo", "commit", "job_type")
_LONGEST = 10_000  # letters of a text that people write


class UpsertBucket(msgspec.Struct, rename="camel"):
    """A run, made or changed; what is None stays as it is."""

    id: str | None = None
    name: str | None = None
    project: str | None = None
    group_name: str | None = None
    display_name: str | None = None
    display_name_: str | None = msgspec.field(default=None, name="display_name")
    description: str | None = None
    notes: str | None = None
    config: str | None = None
    host: str | None = None
    program: str | None = None
    repo: str | None = None
    commit: str | None = None
    job_type: str | None = None
    sweep: str | None = None
    tags: list[str] | None = None
    summary_metrics: str | None = None


class RunResumeStatus(msgspec.Struct):
    """What there is of a run that is to go on."""

    name: str
    project: str | None = None


def upsert(asked: Asked, told: UpsertBucket) -> dict[str, Any]:
    """Make a run, or change one."""
    now = time.time()
    inserted, row, project = asked.write(lambda c: _upsert(c, asked, told, now))
    bucket = {**of_row(row, asked.desk.entity, project), "historyLineCount": row.rows}
    return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}


def _upsert(connection: Connection, asked: Asked, told: UpsertBucket, now: float) -> tuple[bool, Any, str]:
    found, inserted = _found(connection, asked, told, now)
    if found.row.state == "deleted":
        raise Refused(f"the run {told.name} was deleted")
    if found.current:
        changed = _changes(found, told, now)
        connection.execute(sa.update(runs).where(runs.c.id == found.row.id).values(**changed))
    row = connection.execute(sa.select(runs).where(runs.c.id == found.row.id)).one()
    project = connection.execute(sa.select(projects.c.name).where(projects.c.id == row.project_id)).scalar_one()
    return inserted, row, project


def _found(connection: Connection, asked: Asked, told: UpsertBucket, now: float) -> tuple[Found, bool]:
    if told.name is None:
        row = connection.execute(sa.select(runs).where(runs.c.id == (told.id or ""))).one_or_none()
        if row is None:
            raise HTTPException(404, "Not Found")
        asked.allow(row.project_id, Role.WRITE)
        return Found(row, row.attempt), False
    found = find_of_sweep(connection, told.name) if told.sweep else None
    if found is not None:
        asked.allow(found.row.project_id, Role.WRITE)
        return found, False
    if told.sweep and parsed(told.name) is not None:
        raise HTTPException(404, "Not Found")  # its sweep was deleted, or is another server's
    project = asked.made_project(connection, told.project, now)
    found = find(connection, project, told.name)
    if found is not None:
        return found, False
    return Found(plain.create(connection, project, told.name, now), 1), True


def _changes(found: Found, told: UpsertBucket, now: float) -> dict[str, Any]:
    row, changed, config = found.row, dict[str, Any](), mapping(told.config)
    if row.sweep_id is None and row.state in {*plain.OVER, plain.CRASHED} and told.name is not None:
        changed = plain.go_on(row) if _same_process(row, config) else plain.begin_again(row, now)
    about = value(changed.get("about", row.about))
    if config:
        known = value(changed.get("config", row.config)) if row.sweep_id is not None else {}
        changed["config"] = text({**known, **unwrapped(config)})
        own = config.get(OWN)
        about[OWN] = own.get("value") if isinstance(own, dict) else None
    for about_it in _ABOUT:
        given = getattr(told, about_it)
        if given is not None:
            about[about_it] = given[:_LONGEST]
    if row.sweep_id is not None and told.name is not None:
        about["begun"] = found.attempt
    changed["about"] = text(about)
    name = told.display_name or told.display_name_
    if name:
        changed["name"] = name[:200]
    if told.notes is not None or told.description is not None:
        changed["notes"] = (told.notes or told.description or "")[:_LONGEST]
    if told.group_name is not None:
        changed["group"] = told.group_name[:200]
    if told.tags is not None:
        changed["tags"] = text([tag[:200] for tag in told.tags[:1000]])
    summary = loaded(told.summary_metrics)
    if isinstance(summary, dict):
        changed["summary"] = text({k: v for k, v in summary.items() if k != OWN})
    changed["heartbeat_at"] = now
    return {key: part.replace("\x00", "") if isinstance(part, str) else part for key, part in changed.items()}


def _same_process(row: Any, config: dict[str, Any]) -> bool:
    """Return whether who speaks is who made the run: it may have been silent for long, or say again what was lost.

    A client names itself in all that it says but the first; who is to go on with a run has asked for it before.
    """
    about, own = value(row.about), config.get(OWN)
    said = own.get("value") if isinstance(own, dict) else None
    writers = [set(part.get("e") or {}) if isinstance(part, dict) else set() for part in (said, about.get(OWN))]
    return "resumes_at" not in about and bool(writers[0]) and writers[0] <= writers[1]


def of_row(row: Any, entity: str, project: str) -> dict[str, Any]:
    """Return a run as GraphQL has it."""
    about = value(row.about)
    return {
        "id": row.id,
        "name": name_of(row),
        "displayName": row.name,
        "description": row.notes,
        "notes": row.notes,
        "config": dumped(wrapped(value(row.config), about.get(OWN))),
        "sweepName": row.sweep_id,
        "project": {
            "id": str(row.project_id),
            "name": project,
            "entity": {"id": entity, "name": entity},
        },
        "historyLineCount": row.rows,
    }


def resume_status(asked: Asked, told: RunResumeStatus) -> dict[str, Any]:
    """Say how far a run is that is to go on; None where it is new."""
    now, entity = time.time(), asked.desk.entity
    with asked.reading() as connection:
        chosen = sa.select(projects.c.id).where(projects.c.name == (told.project or "uncategorized"))
        project = connection.execute(chosen).scalar()
        if project is None and asked.caller.project_id is None:
            return {"model": None}
        place = asked.project(connection, told.project)
        found = find(connection, place, told.name)
        if found is None or found.row.state == "deleted":
            return {"model": {"id": str(place), "name": told.project, "entity": _entity(entity), "bucket": None}}
        bucket = _resumed(connection, found)
    row = found.row
    if row.sweep_id is None and row.state in {*plain.OVER, plain.CRASHED} and asked.caller.role >= Role.WRITE:
        asked.write(lambda c: _asked_for(c, row.id, now))
    return {"model": {"id": str(place), "name": told.project, "entity": _entity(entity), "bucket": bucket}}


def _resumed(connection: Connection, found: Found) -> dict[str, Any]:
    row, about = found.row, value(found.row.about)
    begun = row.sweep_id is None or about.get("begun") == found.attempt
    config = wrapped(value(row.config), about.get(OWN))
    last = sa.select(history.c.metrics).where(
        history.c.run_id == row.id, history.c.attempt == row.attempt, history.c.row == row.rows - 1
    )
    tail = connection.execute(last).scalar()
    return {
        "id": row.id,
        "name": name_of(row),
        "summaryMetrics": dumped(value(row.summary)),
        "displayName": row.name,
        "logLineCount": row.lines,
        "historyLineCount": row.rows,
        "eventsLineCount": about.get("system_rows", 0),
        "historyTail": dumped([] if tail is None else [dumped(value(tail))]),
        "eventsTail": dumped([dumped(about["system"])] if "system" in about else []),
        "config": dumped(config),
        "tags": value(row.tags),
        "notes": row.notes,
        "wandbConfig": dumped({"t": {"1": 1}, **(about.get(OWN) or {})} if begun else {}),
    }


def _asked_for(connection: Connection, run: str, now: float) -> None:
    about = value(connection.execute(sa.select(runs.c.about).where(runs.c.id == run)).scalar_one())
    connection.execute(sa.update(runs).where(runs.c.id == run).values(about=text({**about, "resumes_at": now})))


def _entity(name: str) -> dict[str, str]:
    return {"id": name, "name": name}
