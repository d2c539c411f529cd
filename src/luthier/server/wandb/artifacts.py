"""Artifacts: versions of directories that runs keep, and others use.

The bytes are files of the run that logged them, below ``artifacts/ID/``; so is the manifest, which names all files of a
version: those that it brought, and those of earlier versions that it shares.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import sqlalchemy as sa
from fastapi import HTTPException

from luthier.core.errors import BadArgument
from luthier.server.auth.caller import Role
from luthier.server.shelf import Shelf, checked
from luthier.server.tables import artifacts, files, runs
from luthier.server.texts import text, value
from luthier.server.wandb.asked import Asked, Refused
from luthier.server.wandb.given import LONGEST, Given, Input
from luthier.server.wandb.given import words as words_of
from luthier.server.wandb.manifests import MANIFEST, check_whole
from luthier.server.wandb.naming import find
from luthier.server.wandb.values import loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

LATEST = "latest"
USED = "inputs"  # in what is known about a run: the artifacts that it used
MOST = 100_000


class CreateManifest(msgspec.Struct):
    """A manifest that is about to come."""

    artifact: str = msgspec.field(name="artifactID")
    include_upload: bool = msgspec.field(name="includeUpload", default=False)


class UpdateManifest(msgspec.Struct):
    """A manifest that comes now; its id is the artifact's."""

    artifact: str = msgspec.field(name="artifactManifestID")
    include_upload: bool = msgspec.field(name="includeUpload", default=False)


class Commit(msgspec.Struct):
    """An artifact that is whole."""

    artifact: str = msgspec.field(name="artifactID")


def create(asked: Asked, told: Input) -> dict[str, Any]:
    """Begin a version; where the newest one holds the same, that is it."""
    now, given = time.time(), told.given
    Shelf(asked.service.files).room()  # here the client shows its user what is said
    row = asked.write(lambda c: _create(c, asked, given, now))
    state = "PENDING" if row.version is None else "COMMITTED"
    found = {
        "id": row.id,
        "state": state,
        "artifactSequence": {"latestArtifact": {"id": row.id} if row.version else None},
    }
    return {"createArtifact": {"artifact": found}}


def _create(connection: Connection, asked: Asked, given: Given, now: float) -> Any:
    project = asked.project(connection, given.project_name, Role.WRITE)
    found = find(connection, project, given.run_name or "")
    collection, kind, aliases = given.collection, given.artifact_type_name or "", given.names
    if found is None:
        raise Refused("an artifact is logged by a run")
    for what, words in (("collection", collection), ("type", kind)):
        if not words.isprintable() or not 0 < len(words) <= LONGEST or "/" in words or ":" in words:
            raise BadArgument(what, words[:LONGEST], "up to 128 characters without / and :")
    newest = _newest(connection, project, collection)
    if newest is not None and newest.type != kind:
        raise Refused(f"{collection!r} holds artifacts of the type {newest.type!r}, not {kind!r}")
    if newest is not None and newest.digest == given.digest:
        _give(connection, newest, aliases, now)
        return _row(connection, newest.id)
    made = secrets.token_hex(8)
    connection.execute(
        sa.insert(artifacts).values(
            id=made,
            project_id=project,
            run_id=found.row.id,
            type=kind,
            collection=collection,
            client_id=given.client_id or "",
            digest=given.digest or "",
            description=(given.description or "")[:10_000],
            metadata=text(loaded(given.metadata) or {}),
            aliases=text(aliases),
            tags=text(words_of(given.tags)),
            step=given.step,
            created_at=now,
            updated_at=now,
        )
    )
    return _row(connection, made)


def create_files(asked: Asked, told: Input) -> dict[str, Any]:
    """Say where to upload files of an artifact to."""
    now, edges = time.time(), []
    wanted = told.given.artifact_files or []
    known: dict[str, Any] = {}
    with asked.reading() as connection:
        for file in wanted[:MOST]:
            if file.artifact not in known:
                known[file.artifact] = _open(artifact_of(asked, connection, file.artifact, Role.WRITE))
            row = known[file.artifact]
            path = _path(row, file.name)
            node: dict[str, Any] = {
                "name": file.name,
                "displayName": file.name,
                "storagePath": path,
                "uploadUrl": _upload(asked, row, path, now),
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": row.id},
            }
            edges.append({"node": node})
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def manifest(asked: Asked, told: CreateManifest | UpdateManifest) -> dict[str, Any]:
    """Say where to upload the manifest to, if that is asked."""
    now = time.time()
    with asked.reading() as connection:
        row = _open(artifact_of(asked, connection, told.artifact, Role.WRITE))
    file: dict[str, Any] = {"id": row.id, "uploadUrl": None, "uploadHeaders": []}
    if told.include_upload:
        file["uploadUrl"] = _upload(asked, row, _path(row, MANIFEST), now)
    return {"artifactManifest": {"id": row.id, "file": file}}


def create_manifest(asked: Asked, told: CreateManifest) -> dict[str, Any]:
    """Begin a manifest."""
    return {"createArtifactManifest": manifest(asked, told)}


def update_manifest(asked: Asked, told: UpdateManifest) -> dict[str, Any]:
    """Let a manifest come."""
    return {"updateArtifactManifest": manifest(asked, told)}


def commit(asked: Asked, told: Commit) -> dict[str, Any]:
    """Take an artifact for whole, if it is: it gets its version and its aliases."""
    now = time.time()
    with asked.reading() as connection:
        pending = artifact_of(asked, connection, told.artifact, Role.WRITE)
        if pending.version is None:
            check_whole(asked, connection, pending)

    def work(connection: Connection) -> Any:
        row = artifact_of(asked, connection, told.artifact, Role.WRITE)
        if row.version is None:
            newest = _newest(connection, row.project_id, row.collection)
            version = 0 if newest is None else newest.version + 1
            connection.execute(sa.update(artifacts).where(artifacts.c.id == row.id).values(version=version))
            _give(connection, row, value(row.aliases), now)
            asked.note(connection, "artifact.log", f"{row.collection}:v{version}")
        return row

    row = asked.write(work)
    return {"commitArtifact": {"artifact": {"id": row.id, "digest": row.digest}}}


def use(asked: Asked, told: Input) -> dict[str, Any]:
    """Note that a run uses an artifact."""
    given = told.given

    def work(connection: Connection) -> Any:
        row = artifact_of(asked, connection, given.artifact)
        project = asked.project(connection, given.project_name, Role.WRITE)
        found = find(connection, project, given.run_name or "")
        if found is not None:
            about = value(found.row.about)
            about[USED] = list(dict.fromkeys([*about.get(USED, []), row.id]))[:1000]
            connection.execute(sa.update(runs).where(runs.c.id == found.row.id).values(about=text(about)))
        return row

    return {"useArtifact": {"artifact": {"id": asked.write(work).id}}}


def change_aliases(asked: Asked, told: Input) -> dict[str, Any]:
    """Give aliases to a version, which others of its collection lose."""
    done = {"success": _aliases(asked, told.given, add=True)}
    return {"result": done, "addAliases": done}  # older clients have it by its own name


def remove_aliases(asked: Asked, told: Input) -> dict[str, Any]:
    """Take aliases from a version."""
    done = {"success": _aliases(asked, told.given, add=False)}
    return {"result": done, "deleteAliases": done}


def _aliases(asked: Asked, given: Given, *, add: bool) -> bool:
    now, names = time.time(), given.names

    def work(connection: Connection) -> None:
        row = artifact_of(asked, connection, given.artifact, Role.WRITE)
        if add:
            _give(connection, row, names, now, latest=False)
        else:
            kept = [alias for alias in value(row.aliases) if alias not in names]
            connection.execute(sa.update(artifacts).where(artifacts.c.id == row.id).values(aliases=text(kept)))

    asked.write(work)
    return True


def artifact_of(asked: Asked, connection: Connection, artifact: str, role: Role = Role.READ) -> Any:
    """Return the row of *artifact*, by its id or by what its client called it.

    Raises:
        HTTPException: 404 where it is not, or is another's.
    """
    row = _row(connection, artifact)
    if row is None:
        raise HTTPException(404, "Not Found")
    asked.allow(row.project_id, role)
    return row


def _row(connection: Connection, artifact: str) -> Any:
    same = sa.or_(artifacts.c.id == artifact, sa.and_(artifacts.c.client_id == artifact, artifacts.c.client_id != ""))
    ours_first = sa.case((artifacts.c.id == artifact, 0), else_=1)  # what a client names itself is only its word
    return connection.execute(sa.select(artifacts).where(same).order_by(ours_first, artifacts.c.created_at)).first()


def _open(row: Any) -> Any:
    if row.version is not None:
        raise Refused(f"{row.collection}:v{row.version} is whole: log another version")
    return row


def _newest(connection: Connection, project: int, collection: str) -> Any:
    mine = (artifacts.c.project_id == project, artifacts.c.collection == collection, artifacts.c.version.is_not(None))
    return connection.execute(sa.select(artifacts).where(*mine).order_by(artifacts.c.version.desc()).limit(1)).first()


def _give(connection: Connection, row: Any, names: Sequence[str], now: float, *, latest: bool = True) -> None:
    """Give the version *row* the aliases *names*, and the one that the newest has."""
    wanted = [*([LATEST] if latest else []), *names]
    others = sa.select(artifacts.c.id, artifacts.c.aliases).where(
        artifacts.c.project_id == row.project_id,
        artifacts.c.collection == row.collection,
        artifacts.c.id != row.id,
        artifacts.c.version.is_not(None),
    )
    for other in connection.execute(others).all():
        had = value(other.aliases)
        kept = [alias for alias in had if alias not in wanted]
        if kept != had:
            connection.execute(sa.update(artifacts).where(artifacts.c.id == other.id).values(aliases=text(kept)))
    mine = list(dict.fromkeys([*value(row.aliases), *wanted]))
    changed = {"aliases": text(mine), "updated_at": now}
    connection.execute(sa.update(artifacts).where(artifacts.c.id == row.id).values(**changed))


def path_of(artifact: str, name: str) -> str:
    """Return under which path a run keeps the file *name* of *artifact*."""
    return checked(f"artifacts/{artifact}/{name}")


def address(asked: Asked, connection: Connection, row: Any, name: str, now: float) -> tuple[str | None, int]:
    """Return where to download the file *name* of the artifact *row* from, and its size; None if it is not there."""
    query = sa.select(files).where(files.c.run_id == row.run_id, files.c.path == path_of(row.id, name))
    found = connection.execute(query).one_or_none()
    if found is None:
        return None, 0
    token = asked.desk.signer.token({"sha256": found.sha256, "name": name.rpartition("/")[2]}, now)
    return f"{asked.base}/wandb/downloads/{quote(token)}", found.size


def _path(row: Any, name: str) -> str:
    return path_of(row.id, name)


def _upload(asked: Asked, row: Any, path: str, now: float) -> str:
    token = asked.desk.signer.token({"run": row.run_id, "path": path}, now)
    return f"{asked.base}/wandb/uploads/{quote(token)}"
