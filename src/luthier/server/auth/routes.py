"""The API of keys and of the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from luthier.core.errors import BadArgument
from luthier.server.auth import audit
from luthier.server.auth.caller import Role
from luthier.server.database import reading
from luthier.server.tables import projects

if TYPE_CHECKING:
    from luthier.server.auth.gate import Gate


class KeyWanted(BaseModel):
    """A key to be made."""

    name: str = Field(min_length=1, max_length=100, description="who or what it is for")
    role: Literal["read", "write", "admin"] = "write"
    project: str | None = Field(None, max_length=200, description="the only project that it sees; null for all")


class KeyMade(BaseModel):
    """A new key; it is not shown again."""

    id: str
    key: str


class KeyRow(BaseModel):
    """A key, without what is secret."""

    id: str
    name: str
    role: str
    project: str | None
    created_at: float
    used_at: float | None
    revoked_at: float | None


class AuditRow(BaseModel):
    """One change."""

    id: int
    at: float
    who: str
    action: str
    target: str
    detail: dict[str, object]


def key_routes(gate: Gate) -> APIRouter:
    """Return ``/api/v1/keys`` and ``/api/v1/audit``."""
    router = APIRouter(prefix="/api/v1", tags=["keys"])
    admins = [Depends(gate.administering)]

    @router.get("/keys", dependencies=admins)
    def list_keys(request: Request) -> list[KeyRow]:
        """Keys that were made, the newest first; a project's admin sees the project's."""
        return [KeyRow(**row) for row in gate.keys.listed(gate.caller(request).project_id)]

    @router.post("/keys", status_code=201, responses={403: {}, 404: {}}, dependencies=admins)
    def add_key(wanted: KeyWanted, request: Request) -> KeyMade:
        """Make a key. It is in the answer, and nowhere else."""
        project_id = _project(gate.engine, wanted.project)
        caller = gate.allow(request, project_id, Role.ADMIN)
        try:
            key_id, key = gate.keys.add(wanted.name, Role.of(wanted.role), project_id, by=caller)
        except BadArgument as error:
            raise HTTPException(422, str(error)) from error
        return KeyMade(id=key_id, key=key)

    @router.delete("/keys/{key}", status_code=204, responses={404: {}}, dependencies=admins)
    def revoke_key(key: str, request: Request) -> None:
        """Revoke a key, and the sessions of browsers that logged in with it."""
        if "\x00" in key or not gate.keys.revoke(key, by=gate.caller(request)):
            raise HTTPException(404, "Not Found")

    @router.get("/audit")
    def list_changes(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    ) -> list[AuditRow]:
        """Return what was changed, the newest first."""
        gate.allow(request, None, Role.ADMIN)
        with reading(gate.engine) as connection:
            return [AuditRow(**row) for row in audit.entries(connection, limit, before)]

    return router


def _project(engine: sa.Engine, name: str | None) -> int | None:
    if name is None:
        return None
    if "\x00" in name:
        raise HTTPException(404, "Not Found")
    with reading(engine) as connection:
        found = connection.execute(sa.select(projects.c.id).where(projects.c.name == name)).scalar()
    if found is None:
        raise HTTPException(404, "Not Found")
    return int(found)
