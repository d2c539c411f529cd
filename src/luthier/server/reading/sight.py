"""Who may see what: a key that is for one project finds nothing of the others."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.server.missing import NotThere
from luthier.server.reading.projects import project_id
from luthier.server.tables import runs, sweeps

if TYPE_CHECKING:
    from starlette.requests import Request

Visible = Callable[["Request"], Collection[int] | None]


def visible(request: Request) -> Collection[int] | None:
    """Return the ids of the projects that *request* may see, None for all: as the key says that was checked."""
    caller = getattr(request.state, "caller", None)
    return None if caller is None or caller.project_id is None else {caller.project_id}


class Sight:
    """Looks whether something is there for whoever asks.

    Args:
        database: the server's.
        visible: says which projects a request may see.
    """

    def __init__(self, database: sa.Engine, visible: Visible = visible) -> None:
        self.database, self.visible = database, visible

    def project(self, request: Request, name: str) -> int:
        """Return the id of the project *name*.

        Raises:
            NotThere: there is none, or it is not for *request*.
        """
        with self.database.connect() as connection:
            found = project_id(connection, name)
        return self._seen(request, found, "project", name)

    def sweep(self, request: Request, sweep: str) -> int:
        """Return the id of the project of *sweep*.

        Raises:
            NotThere: there is no such sweep, or it is not for *request*.
        """
        return self._seen(request, self._found(sweeps, sweep), "sweep", sweep)

    def run(self, request: Request, run: str) -> int:
        """Return the id of the project of *run*.

        Raises:
            NotThere: there is no such run, or it is not for *request*.
        """
        return self._seen(request, self._found(runs, run), "run", run)

    def _found(self, table: sa.Table, name: str) -> Any:
        with self.database.connect() as connection:
            return connection.scalar(sa.select(table.c.project_id).where(table.c.id == name))

    def _seen(self, request: Request, project: Any, what: str, name: str) -> int:
        only = self.visible(request)
        if project is None or (only is not None and project not in only):
            raise NotThere(what, name)
        return int(project)
