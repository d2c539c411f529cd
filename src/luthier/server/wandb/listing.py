"""Runs as ``wandb.Api()`` reads them: one, many, their histories and files."""

from __future__ import annotations

import fnmatch
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import sqlalchemy as sa
from fastapi import HTTPException

from luthier.server import sweeping
from luthier.server.auth.caller import Role
from luthier.server.tables import files, runs
from luthier.server.texts import value
from luthier.server.wandb import sampling
from luthier.server.wandb.asked import Asked, Refused
from luthier.server.wandb.filters import filter_of, holds, named, rank
from luthier.server.wandb.naming import find, name_of
from luthier.server.wandb.states import word
from luthier.server.wandb.sweeps import moment
from luthier.server.wandb.values import dumped, place_of, strict, wrapped

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST = 10_000  # rows or runs in one answer


class Many(msgspec.Struct, rename="camel"):
    """Which runs of a project, in which order, and from where on."""

    project: str | None = None
    filters: str | None = None
    order: str | None = None
    per_page: int = 50
    cursor: str | None = None


class One(msgspec.Struct, rename="camel"):
    """Which run, and what of it."""

    name: str | None = None
    run: str | None = None
    run_name: str | None = None
    project: str | None = None
    live_keys: list[str] = []
    specs: list[str] | None = None
    samples: int | None = None
    min_step: int | None = None
    max_step: int | None = None
    page_size: int | None = None
    file_names: list[str] | None = None
    pattern: str | None = None
    file_limit: int | None = None
    file_cursor: str | None = None


class ById(msgspec.Struct):
    """A run by the id that GraphQL gives it."""

    id: str


def many(asked: Asked, told: Many) -> dict[str, Any]:
    """Tell of runs of a project."""
    wish, order = filter_of(told.filters), told.order or "+created_at"
    key, downwards = named(order.lstrip("+-")), order.startswith("-")
    with asked.reading() as connection:
        place = asked.project(connection, told.project)
        query = sa.select(runs).where(runs.c.project_id == place, runs.c.state != "deleted")
        rows = connection.execute(query.order_by(runs.c.created_at, runs.c.number)).all()
    known = [(row, facts_of(row)) for row in rows]
    passed = [(row, facts) for row, facts in known if not wish or holds(wish, facts)]
    passed.sort(key=lambda pair: rank(pair[1].get(key), downwards=downwards), reverse=key == "createdAt" and downwards)
    first = place_of(told.cursor)
    shown = passed[first : first + min(max(told.per_page, 1), MOST)]
    edges = [{"node": node(row), "cursor": str(first + i + 1)} for i, (row, _) in enumerate(shown)]
    end = first + len(shown)
    page = {"endCursor": str(end), "hasNextPage": end < len(passed)}
    found = {"edges": edges, "pageInfo": page}
    return {"project": {"internalId": str(place), "readOnly": False, "runCount": len(passed), "runs": found}}


def one(asked: Asked, told: One) -> dict[str, Any]:
    """Tell of one run."""
    with asked.reading() as connection:
        _, row = _run(asked, connection, told)
    return {"project": {"run": node(row)}}


def history(asked: Asked, told: One) -> dict[str, Any]:
    """Tell a run's history: samples of it by *specs*, or rows of it."""
    with asked.reading() as connection:
        _, row = _run(asked, connection, told)
        if told.specs is not None:
            specs = sampling.wishes(told.specs)
            found = [sampling.sampled(connection, row, _keys(spec), int(spec.get("samples") or 500)) for spec in specs]
            return {"project": {"run": {"sampledHistory": strict(found)}}}
        if told.min_step is not None or told.max_step is not None:
            rows = _between(connection, row, told)
        else:
            rows = sampling.sampled(connection, row, [], min(told.samples or 500, MOST))
    lines = [dumped(each) for each in rows]
    return {"project": {"run": {"history": lines, "events": []}}}


def history_keys(asked: Asked, told: One) -> dict[str, Any]:
    """Tell how far a run's history goes."""
    with asked.reading() as connection:
        _, row = _run(asked, connection, told)
        last = list(sampling.rows_of(connection, row, max(row.rows - 1, 0)))
    step = last[-1]["_step"] if last else -1
    return {"project": {"run": {"historyKeys": {"lastStep": step, "keys": {}}}}}


def scan(asked: Asked, told: One) -> dict[str, Any]:
    """Tell where a run's history lies: none of it in files, all of it here."""
    with asked.reading() as connection:
        _, row = _run(asked, connection, told)
        rows = sampling.sampled(connection, row, told.live_keys, sampling.MOST)
    return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": strict(rows)}}}}


def file_list(asked: Asked, told: One) -> dict[str, Any]:
    """Tell a run's files, each with an address that is good for a while."""
    now = time.time()
    with asked.reading() as connection:
        place, row = _run(asked, connection, told)
        query = sa.select(files).where(files.c.run_id == row.id).order_by(files.c.path)
        found = [file for file in connection.execute(query) if _wanted(told, file.path)]
    first = place_of(told.file_cursor)
    shown = found[first : first + min(max(told.file_limit or 50, 1), MOST)]
    edges = []
    for number, file in enumerate(shown, first + 1):
        token = asked.desk.signer.token({"sha256": file.sha256, "name": file.path}, now)
        address = f"{asked.base}/wandb/downloads/{quote(token)}"
        about = {
            "id": f"{row.id}/{file.path}",
            "name": file.path,
            "url": address,
            "directUrl": address,
            "sizeBytes": file.size,
            "mimetype": None,
            "updatedAt": moment(file.at),
            "md5": None,
        }
        edges.append({"cursor": str(number), "node": about})
    end = first + len(shown)
    page = {"endCursor": str(end), "hasNextPage": end < len(found)}
    answer = {"fileCount": len(found), "files": {"edges": edges, "pageInfo": page}}
    return {"project": {"internalId": str(place), "run": answer}}


def stop(asked: Asked, told: ById) -> dict[str, Any]:
    """End a run early."""
    now, roster = time.time(), asked.service.roster

    def work(connection: Connection) -> None:
        place = connection.execute(sa.select(runs.c.project_id).where(runs.c.id == told.id)).scalar()
        if place is None:
            raise HTTPException(404, "Not Found")
        asked.allow(place, Role.WRITE)
        sweeping.stop_run(connection, roster, told.id, now, asked.by)
        asked.note(connection, "run.stop", told.id)

    asked.write(work)
    return {"stopRun": {"success": True}}


def node(row: Any) -> dict[str, Any]:
    """Return a run as GraphQL has it."""
    about = value(row.about)
    who = about.get("host") or "luthier"
    return {
        "__typename": "Run",
        "projectId": str(row.project_id),
        "id": row.id,
        "name": name_of(row),
        "displayName": row.name,
        "sweepName": row.sweep_id,
        "state": word(row.state),
        "config": dumped(wrapped(value(row.config), about.get("_wandb"))),
        "group": row.group or None,
        "jobType": about.get("job_type"),
        "commit": about.get("commit"),
        "tags": value(row.tags),
        "readOnly": False,
        "createdAt": moment(row.created_at),
        "heartbeatAt": moment(row.heartbeat_at or row.created_at),
        "description": row.notes,
        "notes": row.notes,
        "systemMetrics": dumped(about.get("system", {})),
        "summaryMetrics": dumped(value(row.summary)),
        "historyLineCount": row.rows,
        "historyKeys": {"lastStep": row.rows - 1, "keys": {}},
        "user": {"name": who, "username": who},
        "exitcode": row.exit_code,
    }


def facts_of(row: Any) -> dict[str, Any]:
    """Return what filters may ask of a run."""
    about = value(row.about)
    return {
        "name": name_of(row),
        "displayName": row.name,
        "sweep": row.sweep_id,
        "state": word(row.state),
        "group": row.group or None,
        "jobType": about.get("job_type"),
        "tags": value(row.tags),
        "user": about.get("host"),
        "createdAt": moment(row.created_at),
        "heartbeatAt": moment(row.heartbeat_at),
        **_flat("config", value(row.config)),
        **_flat("summary_metrics", value(row.summary)),
    }


def _flat(before: str, values: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, part in values.items():
        found[f"{before}.{name}"] = part
        if isinstance(part, dict):
            found.update(_flat(f"{before}.{name}", part))
    return found


def _run(asked: Asked, connection: Connection, told: One) -> tuple[int, Any]:
    place = asked.project(connection, told.project)
    name = told.name or told.run or told.run_name or ""
    found = find(connection, place, name)
    if found is None or found.row.state == "deleted":
        raise Refused(f"there is no run {name[:100]!r} in {told.project!r}")
    return place, found.row


def _between(connection: Connection, row: Any, told: One) -> list[dict[str, Any]]:
    first, end = told.min_step or 0, told.max_step
    rows = sampling.rows_of(connection, row)
    found = [each for each in rows if each["_step"] >= first and (end is None or each["_step"] < end)]
    return found[: min(told.page_size or MOST, MOST)]


def _keys(spec: dict[str, Any]) -> list[str]:
    keys = spec.get("keys")
    return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []


def _wanted(told: One, path: str) -> bool:
    if told.file_names:
        return path in told.file_names
    return told.pattern is None or fnmatch.fnmatchcase(path, told.pattern.replace("%", "*").replace("_", "?"))
