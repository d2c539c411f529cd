"""Who asks, and by what an operation reaches the rest of the server."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from anyio import from_thread
from fastapi import HTTPException

from luthier.server import sweeping
from luthier.server.auth.caller import Role
from luthier.server.auth.gate import NOBODYS
from luthier.server.database import reading
from luthier.server.tables import projects
from luthier.server.wandb.lists import Lists

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from fastapi import Request
    from sqlalchemy import Connection

    from luthier.server.auth.gate import Gate
    from luthier.server.service import Service
    from luthier.server.wandb.lookout import Lookout
    from luthier.server.wandb.signing import Signer

T = TypeVar("T")
_PROJECT = sa.select(projects.c.id).where(projects.c.name == sa.bindparam("name"))


class Refused(Exception):
    """An operation cannot be done; the text goes to the client as GraphQL's error."""


class Desk:
    """What all operations share.

    Args:
        service: the server's.
        gate: who lets in.
        signer: of addresses that need no key.
        lookout: what heartbeats showed of W&B's agents.
        entity: what W&B's client calls the owner of all projects here.
    """

    def __init__(self, service: Service, gate: Gate, signer: Signer, lookout: Lookout, entity: str) -> None:
        self.service, self.gate, self.signer, self.lookout, self.entity = service, gate, signer, lookout, entity
        self.lists = Lists()


class Asked:
    """One request, in a thread of the pool.

    Args:
        desk: what all share.
        request: as it came.
    """

    def __init__(self, desk: Desk, request: Request) -> None:
        self.desk, self.request, self.service = desk, request, desk.service
        self.caller = desk.gate.caller(request)

    @property
    def base(self) -> str:
        """The address of this server, as the client has it."""
        return str(self.request.base_url).rstrip("/")

    @property
    def by(self) -> str:
        """The name of who asks."""
        return self.caller.name

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection to read from."""
        return reading(self.service.engine)

    def write(self, work: Callable[[Connection], T], sweep: str = "") -> T:
        """Do *work*, which changes *sweep*, and return its result once it is safe."""
        if not sweep:  # by the shortest way: what is done once more, or read beforehand, are sweeps
            return self.service.writer.do(work)
        return from_thread.run(functools.partial(self.service.write, work, sweep))

    def exchange(self, agent: str, told: Any) -> Any:
        """Tell what *agent* tells, and return its orders."""
        return from_thread.run(functools.partial(self.service.exchange, agent, told))

    def note(self, connection: Connection, action: str, target: str, detail: dict[str, Any] | None = None) -> None:
        """Write into the audit."""
        self.desk.gate.note(connection, self.request, action, target, detail)

    # -- rights --------------------------------------------------------------------------------------------------------
    def allow(self, project_id: int, role: Role = Role.READ) -> None:
        """Refuse who does not see the project or has not *role*: with 404 and 403."""
        self.desk.gate.allow(self.request, project_id, role)

    def project(self, connection: Connection, name: str | None, role: Role = Role.READ) -> int:
        """Return the id of the project called *name*, which must be there.

        Raises:
            HTTPException: 404 where it is not, or is another's.
        """
        if name is None and self.caller.project_id is not None:  # a project's key belongs there
            self.allow(self.caller.project_id, role)
            return self.caller.project_id
        found = connection.execute(_PROJECT, {"name": name or sweeping.UNSORTED}).scalar()
        self.allow(NOBODYS if found is None else int(found), role)
        if found is None:
            raise HTTPException(404, "Not Found")
        return int(found)

    def made_project(self, connection: Connection, name: str | None, now: float) -> int:
        """Return the id of the project called *name*, for who may write there; it is made where it is not there."""
        if self.caller.project_id is not None:
            return self.project(connection, name, Role.WRITE)
        return sweeping.project_id(connection, name or sweeping.UNSORTED, now)
