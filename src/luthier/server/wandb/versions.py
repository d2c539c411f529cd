"""Versions of artifacts as W&B's client finds, reads and downloads them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.server.auth.caller import Role
from luthier.server.tables import artifacts, files, projects, runs
from luthier.server.texts import text, value
from luthier.server.wandb.artifacts import LATEST, USED, address, artifact_of
from luthier.server.wandb.given import Input, words
from luthier.server.wandb.manifests import MANIFEST
from luthier.server.wandb.naming import find
from luthier.server.wandb.sweeps import moment
from luthier.server.wandb.values import dumped, loaded, place_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luthier.server.wandb.asked import Asked

_VERSION = re.compile(r"v(\d{1,9})")


class Which(msgspec.Struct, rename="camel"):
    """Which artifacts are asked for; each operation says it in some of these."""

    project: str | None = None
    name: str | None = None
    id: str | None = None
    artifact_id: str | None = msgspec.field(default=None, name="artifact_id")
    type: str | None = None
    collection: str | None = None
    alias: str | None = None
    run: str | None = None
    file_names: list[str] | None = None
    entries: list[dict[str, Any]] = []
    cursor: str | None = None
    per_page: int | None = None
    # What older clients call some of these.
    project_name: str | None = None
    artifact_name: str | None = None
    artifact_version_index: str | None = None

    @property
    def place(self) -> str | None:
        """The project."""
        return self.project or self.project_name


def by_name(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell of the version that ``collection:alias`` names."""
    with asked.reading() as connection:
        place = asked.project(connection, told.project)
        row = _named(connection, place, *_parted(told.name or ""))
        found = None if row is None else _membership(asked, connection, row)
    return {"project": {"artifactCollectionMembership": found}}


def kind_of(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell the type of the version that ``collection:alias`` names."""
    with asked.reading() as connection:
        place = asked.project(connection, told.place)
        row = _named(connection, place, *_parted(told.name or ""))
    return {"project": {"artifact": None if row is None else {"artifactType": {"name": row.type}}}}


def named(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell of the version that ``collection:alias`` names, as older clients ask for it."""
    with asked.reading() as connection:
        place = asked.project(connection, told.project)
        row = _named(connection, place, *_parted(told.name or ""))
        found = None if row is None else _artifact(asked, connection, row)
    return {"project": {"artifact": found}}


def change(asked: Asked, told: Input) -> dict[str, Any]:
    """Change what people say of a version."""
    given = told.given

    def work(connection: Connection) -> str:
        row = artifact_of(asked, connection, given.artifact, Role.WRITE)
        changed: dict[str, Any] = {"updated_at": time.time()}
        if given.description is not None:
            changed["description"] = given.description[:10_000]
        metadata = loaded(given.metadata)
        if metadata is not None:
            changed["metadata"] = text(metadata)
        gone, more = words(given.tags_to_delete), words(given.tags_to_add)
        changed["tags"] = text([tag for tag in dict.fromkeys([*value(row.tags), *more]) if tag not in gone])
        connection.execute(sa.update(artifacts).where(artifacts.c.id == row.id).values(**changed))
        return str(row.id)

    made = asked.write(work)
    with asked.reading() as connection:
        done = {"artifact": _artifact(asked, connection, artifact_of(asked, connection, made))}
    return {"result": done, "updateArtifact": done}  # older clients have it by its own name


def by_id(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell of one version."""
    with asked.reading() as connection:
        row = artifact_of(asked, connection, told.id or "")
        return {"artifact": _artifact(asked, connection, row)}


def client_id(asked: Asked, told: ClientId) -> dict[str, Any]:
    """Tell the id of what a client named itself."""
    with asked.reading() as connection:
        row = artifact_of(asked, connection, told.client)
    return {"clientIDMapping": {"serverID": row.id}}


class ClientId(msgspec.Struct):
    """What a client called an artifact."""

    client: str = msgspec.field(name="clientID")


def manifest(asked: Asked, told: Which) -> dict[str, Any]:
    """Say where a version's manifest is."""
    with asked.reading() as connection:
        row = artifact_of(asked, connection, told.artifact_id or told.id or "")
        where, _ = address(asked, connection, row, MANIFEST, time.time())
    return {"artifact": {"currentManifest": {"file": {"directUrl": where}}}}


def entries(asked: Asked, told: Which) -> dict[str, Any]:
    """Say where files of a version are, of which some came with an earlier one."""
    now, edges = time.time(), []
    with asked.reading() as connection:
        own = artifact_of(asked, connection, told.id or "")
        for entry in told.entries:
            born, name = entry.get("birthArtifactID"), str(entry.get("name"))
            row = artifact_of(asked, connection, str(born)) if born else own
            where, _ = address(asked, connection, row, name, now)
            if where is not None:
                edges.append({"node": {"name": name, "directUrl": where}})
    page = {"hasNextPage": False, "endCursor": None}
    return {"artifact": {"filesByManifestEntries": {"pageInfo": page, "edges": edges}}}


def file_list(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell the files that came with a version."""
    collection, alias = told.collection or told.artifact_name or "", told.alias or told.artifact_version_index
    with asked.reading() as connection:
        place = asked.project(connection, told.place)
        found = _file_page(asked, connection, _named(connection, place, collection, alias or LATEST), told)
    membership = {"artifactMembership": {"files": found}, "__typename": "ArtifactSequence"}
    return {"project": {"artifactCollection": membership}}


def file_list_by_id(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell the files that came with a version, as older clients ask for it."""
    with asked.reading() as connection:
        row = artifact_of(asked, connection, told.id or "")
        return {"artifact": {"files": _file_page(asked, connection, row, told)}}


def _file_page(asked: Asked, connection: Connection, row: Any, told: Which) -> dict[str, Any]:
    names, now = [] if row is None else _files(connection, row), time.time()
    wanted = [name for name in names if not told.file_names or name in told.file_names]
    nodes = [_file(asked, connection, row, name, now) for name in wanted]
    return {"totalCount": len(nodes), **_page(nodes, told)}


def every(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell of all versions in a collection, the newest first."""
    with asked.reading() as connection:
        place = asked.project(connection, told.project)
        query = sa.select(artifacts).where(
            artifacts.c.project_id == place,
            artifacts.c.collection == (told.collection or told.name or ""),
            artifacts.c.version.is_not(None),
        )
        rows = connection.execute(query.order_by(artifacts.c.version.desc())).all()
        nodes = [_artifact(asked, connection, row) for row in rows]
    page = _page(nodes, told)
    for edge in page["edges"]:
        edge["version"] = f"v{edge['node']['versionIndex']}"
    found = {"__typename": "ArtifactSequence", "artifacts": {"totalCount": len(nodes), **page}}
    return {"project": {"artifactType": {"artifactCollection": found}}}


def logged(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell of the artifacts that a run logged."""
    return _of_run(asked, told, used=False)


def used(asked: Asked, told: Which) -> dict[str, Any]:
    """Tell of the artifacts that a run used."""
    return _of_run(asked, told, used=True)


def _of_run(asked: Asked, told: Which, *, used: bool) -> dict[str, Any]:
    with asked.reading() as connection:
        place = asked.project(connection, told.project)
        found = find(connection, place, told.run or "")
        nodes = []
        if found is not None:
            inputs = value(found.row.about).get(USED, [])
            own = artifacts.c.id.in_(inputs) if used else artifacts.c.run_id == found.row.id
            query = sa.select(artifacts).where(own, artifacts.c.version.is_not(None), artifacts.c.project_id == place)
            rows = connection.execute(query.order_by(artifacts.c.created_at)).all()
            nodes = [_artifact(asked, connection, row) for row in rows]
    return {"project": {"run": {"artifacts": {"totalCount": len(nodes), **_page(nodes, told)}}}}


def _parted(name: str) -> tuple[str, str]:
    collection, _, alias = name.rpartition("/")[2].partition(":")
    return collection, alias or LATEST


def _named(connection: Connection, project: int, collection: str, alias: str) -> Any:
    query = sa.select(artifacts).where(
        artifacts.c.project_id == project, artifacts.c.collection == collection, artifacts.c.version.is_not(None)
    )
    version = _VERSION.fullmatch(alias)
    for row in connection.execute(query.order_by(artifacts.c.version.desc())):
        if alias in value(row.aliases) or (version is not None and row.version == int(version[1])):
            return row
    return None


def _files(connection: Connection, row: Any) -> list[str]:
    before = f"artifacts/{row.id}/"
    query = sa.select(files.c.path).where(
        files.c.run_id == row.run_id, files.c.path.startswith(before, autoescape=True)
    )
    names = [path.removeprefix(before) for path in connection.execute(query.order_by(files.c.path)).scalars()]
    return [name for name in names if name != MANIFEST]


def _file(asked: Asked, connection: Connection, row: Any, name: str, now: float) -> dict[str, Any]:
    where, size = address(asked, connection, row, name, now)
    return {
        "__typename": "File",
        "id": f"{row.id}/{name}",
        "name": name,
        "displayName": name,
        "url": where,
        "directUrl": where,
        "sizeBytes": size,
        "storagePath": name,
        "mimetype": None,
        "updatedAt": moment(row.updated_at),
        "digest": None,
        "md5": None,
    }


def _membership(asked: Asked, connection: Connection, row: Any) -> dict[str, Any]:
    artifact = _artifact(asked, connection, row)
    aliases = [{k: v for k, v in alias.items() if k != "artifactCollection"} for alias in artifact["aliases"]]
    return {
        "__typename": "ArtifactCollectionMembership",
        "id": row.id,
        "versionIndex": row.version,
        "createdAt": moment(row.created_at),
        "aliases": aliases,
        "artifactCollection": artifact["artifactSequence"],
        "artifact": artifact,
    }


def _artifact(asked: Asked, connection: Connection, row: Any) -> dict[str, Any]:
    project = connection.execute(sa.select(projects.c.name).where(projects.c.id == row.project_id)).scalar_one()
    maker = connection.execute(sa.select(runs.c.name).where(runs.c.id == row.run_id)).scalar()
    place = {"id": str(row.project_id), "internalId": str(row.project_id), "name": project}
    entity = {"entity": {"name": asked.desk.entity}}
    sequence = {"__typename": "ArtifactSequence", "name": row.collection, "project": {**place, **entity}}
    names = _files(connection, row)
    sizes = [address(asked, connection, row, name, 0.0)[1] for name in names]
    aliases = [
        {"__typename": "ArtifactAlias", "id": f"{row.id}:{alias}", "alias": alias, "artifactCollection": sequence}
        for alias in [*value(row.aliases), f"v{row.version}"]
    ]
    return {
        "__typename": "Artifact",
        "id": row.id,
        "artifactSequence": sequence,
        "versionIndex": row.version,
        "artifactType": {"name": row.type},
        "description": row.description or None,
        "metadata": dumped(value(row.metadata)),
        "ttlDurationSeconds": -1,
        "ttlIsInherited": False,
        "tags": [{"__typename": "Tag", "id": tag, "name": tag} for tag in value(row.tags)],
        "historyStep": row.step,
        "state": "PENDING" if row.version is None else "COMMITTED",
        "size": sum(sizes),
        "digest": row.digest,
        "digestAlgorithm": "MANIFEST_MD5",
        "commitHash": row.id,
        "fileCount": len(names),
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
        "aliases": aliases,
        "createdBy": {"__typename": "Run", "name": row.run_id, "displayName": maker},
    }


def _page(nodes: list[Any], told: Which) -> dict[str, Any]:
    first = place_of(told.cursor)
    shown = nodes[first : first + min(max(told.per_page or 50, 1), 1000)]
    end = first + len(shown)
    page = {"__typename": "PageInfo", "endCursor": str(end), "hasNextPage": end < len(nodes)}
    return {"pageInfo": page, "edges": [{"node": node} for node in shown]}
