"""Runs as ``wandb.Api()`` reads them: one, many, their histories and files."""

from __future__ import annotations

import fnmatch
import math
import time
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import sqlalchemy as sa
from fastapi import HTTPException

from luthier.core.goal import number
from luthier.server import sweeping
from luthier.server.auth.caller import Role
from luthier.server.tables import files, runs
from luthier.server.texts import value
from luthier.server.wandb import sampling
from luthier.server.wandb.asked import Asked, Refused
from luthier.server.wandb.choosing import chosen, rows_of
from luthier.server.wandb.filters import filter_of
from luthier.server.wandb.naming import find, name_of
from luthier.server.wandb.states import word
from luthier.server.wandb.sweeps import moment
from luthier.server.wandb.values import dumped, mapping, place_of, strict, wrapped

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
    spec: str | None = None
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
    order, first, now, lists = told.order or "+created_at", place_of(told.cursor), time.time(), asked.desk.lists
    with asked.reading() as connection:
        place = asked.project(connection, told.project)
        which = place, told.filters, order
        ids = lists.find(which, now) if first else None
        if ids is None:
            where = (runs.c.project_id == place, runs.c.state != "deleted")
            ids = chosen(connection, where, filter_of(told.filters), order)
            lists.keep(which, ids, now)
        end = first + min(max(told.per_page, 1), MOST)
        rows = list(rows_of(connection, ids[first:end]))
    edges = [{"node": node(row), "cursor": str(first + i + 1)} for i, row in enumerate(rows)]
    page = {"endCursor": str(min(end, len(ids))), "hasNextPage": end < len(ids)}
    found = {"edges": edges, "pageInfo": page}
    return {"project": {"internalId": str(place), "readOnly": False, "runCount": len(ids), "runs": found}}


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
            curves = [sampling.sampled(connection, row, _keys(spec), int(spec.get("samples") or 500)) for spec in specs]
            return {"project": {"run": {"sampledHistory": strict(curves)}}}
        if told.min_step is not None or told.max_step is not None:
            end = math.inf if told.max_step is None else told.max_step
            found = sampling.between(connection, row, told.min_step or 0, end)
            rows = list(islice(found, min(max(told.page_size or sampling.MOST, 1), sampling.MOST)))
            if len(rows) == sampling.MOST and next(found, None) is not None:  # the client takes these for all
                raise Refused(f"more than {sampling.MOST} rows at once: give scan_history a smaller page_size")
        else:
            rows = sampling.sampled(connection, row, [], min(told.samples or 500, MOST))
    lines = [dumped(each) for each in rows]
    return {"project": {"run": {"history": lines, "events": []}}}


def history_page(asked: Asked, told: One) -> dict[str, Any]:
    """Tell the rows between two steps that have some keys, the last one included, or samples of them."""
    spec = mapping(told.spec)
    keys, first, last = _keys(spec), number(spec.get("minStep")) or 0, number(spec.get("maxStep"))
    with asked.reading() as connection:
        _, row = _run(asked, connection, told)
        rows = sampling.between(connection, row, first, math.inf if last is None else last + 1)
        having = ({key: each[key] for key in keys} for each in rows if all(key in each for key in keys))
        found = list(islice(having, sampling.MOST))
    most = max(1, min(int(number(spec.get("samples")) or MOST), sampling.MOST))
    return {"project": {"run": {"sampledHistory": [strict(sampling.spread(found, most))]}}}


def history_keys(asked: Asked, told: One) -> dict[str, Any]:
    """Tell how far a run's history goes."""
    with asked.reading() as connection:
        _, row = _run(asked, connection, told)
        last = list(sampling.rows_of(connection, row, max(row.rows - 1, 0)))
    step = last[-1]["_step"] if last else -1
    return {"project": {"run": {"historyKeys": {"lastStep": step, "keys": {}}}}}


def scan(asked: Asked, told: One) -> dict[str, Any]:
    """Tell where a run's history lies: none of it in files, all of it here, from the first step to the last."""
    with asked.reading() as connection:
        _, row = _run(asked, connection, told)
        rows = sampling.ends(connection, row)
    return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": strict(rows)}}}}


def file_list(asked: Asked, told: One) -> dict[str, Any]:
    """Tell a run's files, each with an address that is good for a while."""
    now = time.time()
    with asked.reading() as connection:
        place, row = _run(asked, connection, told)
        own = files.c.run_id == row.id
        paths = connection.execute(sa.select(files.c.path).where(own).order_by(files.c.path)).scalars()
        found = [path for path in paths if _wanted(told, path)]
        first = place_of(told.file_cursor)
        page = found[first : first + min(max(told.file_limit or 50, 1), MOST)]
        query = sa.select(files).where(own, files.c.path.in_(page)).order_by(files.c.path)
        shown = connection.execute(query).all()
    edges = []
    for nth, file in enumerate(shown, first + 1):
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
        edges.append({"cursor": str(nth), "node": about})
    end = first + len(page)
    about_page = {"endCursor": str(end), "hasNextPage": end < len(found)}
    answer = {"fileCount": len(found), "files": {"edges": edges, "pageInfo": about_page}}
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


def _run(asked: Asked, connection: Connection, told: One) -> tuple[int, Any]:
    place = asked.project(connection, told.project)
    name = told.name or told.run or told.run_name or ""
    found = find(connection, place, name)
    if found is None or found.row.state == "deleted":
        raise Refused(f"there is no run {name[:100]!r} in {told.project!r}")
    return place, found.row


def _keys(spec: dict[str, Any]) -> list[str]:
    keys = spec.get("keys")
    return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []


def _wanted(told: One, path: str) -> bool:
    if told.file_names:
        return path in told.file_names
    return told.pattern is None or fnmatch.fnmatchcase(path, told.pattern.replace("%", "*").replace("_", "?"))
