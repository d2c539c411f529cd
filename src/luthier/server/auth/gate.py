"""The gate: who comes in, what they may do, and how often.

    gate = Gate(engine, required=auth)
    app = FastAPI(dependencies=gate.everywhere, docs_url=None, redoc_url=None)
    guard(app, gate)        # luthier.server.auth.guard: headers, limits; routes: /login, /logout, BASE/keys, BASE/audit
    app.include_router(routes)

From then on every request, to whatever path, needs a key (``Bearer KEY``; Basic ``api:KEY``, as W&B's client sends it;
or a browser's session), but those to ``open_paths``; and what changes something (all methods but GET, HEAD, OPTIONS)
one that may write, but for ``reads_by_post``.  ``gate.everywhere`` looks at the path's parameters: a ``{sweep}``,
``{run}``, ``{agent}``, ``{project}`` (by name) or ``{key}`` of a project that the caller does not see is 404, just as
one that is not there.  So a route that says nothing is safe.  Routes say more by

* ``Depends(gate.reading)``, ``gate.writing``, ``gate.administering``: the caller must have that role; they return the
  :class:`Caller`, and check the path's parameters too;
* ``gate.allow(request, project_id, role)``: where the project is known by other means: of a body, or of a query;
* ``gate.caller(request).project_id``: what a list is to be cut down to (None: all projects);
* ``gate.note(connection, request, action, target, detail)``: a row for the audit, in the change's own transaction;
* ``await gate.stands(request)``: whether the key is still good, to be asked now and then by what streams for long.

Without keys (``required=False``) everybody is the admin ``local``.  Then only requests to a name of the loopback are
answered, and none that a page of another site sends: a browser on this machine opens such pages, too.
"""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from fastapi import Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from luthier.server.auth import audit
from luthier.server.auth.buckets import Buckets, address, retry_after
from luthier.server.auth.caller import LOCAL, Caller, Role
from luthier.server.auth.keys import COOKIE, Keys
from luthier.server.auth.origin import from_elsewhere, from_our_pages
from luthier.server.database import reading
from luthier.server.tables import agents, keys, projects, runs, sweeps

if TYPE_CHECKING:
    from collections.abc import Mapping

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = r"/login|/static/(?!.*\.\.).*|/favicon\.ico|/api/v1/health"
NOBODYS = -1  # the project of what is not there
_MOST_KNOWN = 50_000
_PROJECT_OF: dict[str, Any] = {
    "sweep": sa.select(sweeps.c.project_id).where(sweeps.c.id == sa.bindparam("id")),
    "run": sa.select(runs.c.project_id).where(runs.c.id == sa.bindparam("id")),
    "agent": sa.select(sweeps.c.project_id).join(agents).where(agents.c.id == sa.bindparam("id")),
    "project": sa.select(projects.c.id).where(projects.c.name == sa.bindparam("id")),
    "key": sa.select(keys.c.project_id).where(keys.c.id == sa.bindparam("id"), keys.c.parent_id.is_(None)),
}


class Gate:
    """Lets requests in, or not; see above.

    Args:
        engine: the database, with tables.
        required: whether a key is needed.
        open_paths: a pattern of paths that need none.
        reads_by_post: a pattern of paths where POST only reads (or the route itself says who may).
        key_rate: requests per second that a key may make; twice as many at once.
        failure_rate: failed logins per second from one address; ten at once.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        required: bool,
        open_paths: str = OPEN_PATHS,
        reads_by_post: str = r"(?!)",
        key_rate: float = 2000.0,
        failure_rate: float = 0.2,
    ) -> None:
        self.engine, self.required, self.keys = engine, required, Keys(engine)
        self._open, self._reads = re.compile(open_paths), re.compile(reads_by_post)
        self._requests = Buckets(rate=key_rate, size=2 * key_rate)
        self._failures = Buckets(rate=failure_rate, size=10)
        self._project_of: dict[tuple[str, str], int] = {}

    @property
    def everywhere(self) -> list[Any]:
        """The dependencies of the whole app."""
        return [Depends(self.reading)]

    async def reading(self, request: Request) -> Caller | None:
        """Check what the path addresses; return the caller (None on open paths)."""
        caller = getattr(request.state, "caller", None)
        return None if caller is None else await self._addressed(request, Role.READ)

    async def writing(self, request: Request) -> Caller:
        """As :meth:`reading`, for who may write."""
        return await self._addressed(request, Role.WRITE)

    async def administering(self, request: Request) -> Caller:
        """As :meth:`reading`, for admins."""
        return await self._addressed(request, Role.ADMIN)

    def caller(self, request: Request) -> Caller:
        """Return who made *request*."""
        found: Caller | None = getattr(request.state, "caller", None)
        if found is None:
            raise HTTPException(401, "a key is needed", {"WWW-Authenticate": "Bearer"})
        return found

    def allow(self, request: Request, project_id: int | None, role: Role = Role.READ) -> Caller:
        """Return who made *request*, if that one sees the project and has *role*.

        Args:
            request: as it came.
            project_id: of what is addressed; None for what belongs to no project alone, which takes a key for all.
            role: what it takes.

        Raises:
            HTTPException: 404 for another project's, as if it were not there; 403 for want of the role.
        """
        caller = self.caller(request)
        if not caller.sees(project_id):
            if project_id is None:
                raise HTTPException(403, "this takes a key for all projects")
            raise HTTPException(404, "Not Found")
        if caller.role < role:
            raise HTTPException(403, f"this takes a key with the role {role.word}; this one has {caller.role.word}")
        return caller

    def note(
        self,
        connection: sa.Connection,
        request: Request,
        action: str,
        target: str,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Write into the audit what *request* has done; *connection* is that of the change's transaction."""
        audit.record(connection, self.caller(request).name, action, target, detail)

    async def stands(self, request: Request) -> bool:
        """Return whether who made *request* would be let in now, too."""
        token = getattr(request.state, "token", None)
        return not self.required or (token is not None and await self._whose(token) is not None)

    async def admit(self, request: Request) -> Caller | None:
        """Return who makes *request*; None where the path is open.

        Raises:
            HTTPException: 401 without a key, 403 for what it may not, 429 for too much.
        """
        path = request.scope["path"]  # of request.url, the header Host makes a part
        changes = request.method not in SAFE and not self._reads.fullmatch(path)
        if not self.required:
            if changes and from_elsewhere(request.headers):
                raise HTTPException(403, "a page of another site sent this")
            return LOCAL
        if self._open.fullmatch(path):
            return None
        token, of_session = credentials(request)
        caller = await self._known(request, token)
        if caller.session != of_session:
            raise HTTPException(401, "this is no key", {"WWW-Authenticate": "Bearer"})
        wait = self._requests.take(str(caller.key_id))
        if wait:
            raise HTTPException(429, "too many requests with this key", {"Retry-After": retry_after(wait)})
        if changes and (not from_our_pages(request.headers) if of_session else from_elsewhere(request.headers)):
            raise HTTPException(403, "a page of another site sent this, or the header X-Luthier-CSRF is missing")
        if changes and caller.role < Role.WRITE:
            raise HTTPException(403, f"this takes a key with the role write; this one has {caller.role.word}")
        request.state.token = token
        return caller

    async def login(self, request: Request, key: str) -> str | None:
        """Return the token of a new session for who has *key*; None if it is no key.

        Raises:
            HTTPException: 429 after too many failures.
        """
        try:
            caller = await self._known(request, key)
        except HTTPException as refusal:
            if refusal.status_code == HTTPStatus.UNAUTHORIZED:
                return None
            raise
        return None if caller.session else await run_in_threadpool(self.keys.open_session, caller)

    async def _known(self, request: Request, token: str | None) -> Caller:
        if token is None:
            raise HTTPException(401, "a key is needed: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})
        # Who was let in before is not kept out by others at the same address who fail.
        caller, fresh = self.keys.remembered(token)
        if caller is not None and fresh:
            return caller
        where = address(request.client.host if request.client else "")
        if caller is None:
            wait = self._failures.wait(where)
            if wait:
                raise HTTPException(429, "too many failures to log in from there", {"Retry-After": retry_after(wait)})
        caller = await run_in_threadpool(self.keys.find, token)
        if caller is None:
            self._failures.take(where)
            raise HTTPException(401, "this is no key, or it was revoked", {"WWW-Authenticate": "Bearer"})
        return caller

    async def _whose(self, token: str) -> Caller | None:
        caller, fresh = self.keys.remembered(token)
        return caller if fresh else await run_in_threadpool(self.keys.find, token)

    async def _addressed(self, request: Request, role: Role) -> Caller:
        caller = self.caller(request)
        if caller.project_id is not None:
            for kind in _PROJECT_OF.keys() & request.path_params.keys():
                self.allow(request, await self._project(kind, str(request.path_params[kind])))
        return self.allow(request, caller.project_id, role)

    async def _project(self, kind: str, given: str) -> int:
        """Return the project of the *kind* called *given*: ids never go to another one, so it may be remembered."""
        known = self._project_of.get((kind, given))
        if known is not None:
            return known
        found = await run_in_threadpool(self._looked_up, kind, given)
        if found is None:
            return NOBODYS
        if kind != "project":  # a name may go to another one
            if len(self._project_of) >= _MOST_KNOWN:
                self._project_of.clear()
            self._project_of[kind, given] = found
        return found

    def _looked_up(self, kind: str, given: str) -> int | None:
        if "\x00" in given:  # PostgreSQL knows no such text
            return None
        with reading(self.engine) as connection:
            found: int | None = connection.execute(_PROJECT_OF[kind], {"id": given}).scalar()
        return found


def credentials(request: Request) -> tuple[str | None, bool]:
    """Return the key or token that *request* brings, and whether it is a browser's session."""
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        return None, False
    if given:
        scheme, _, rest = given[0].partition(" ")
        if scheme.lower() == "bearer":
            return rest.strip(), False
        if scheme.lower() == "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2], False
            except (binascii.Error, UnicodeDecodeError, ValueError):
                return "", False
        return "", False
    cookie = request.cookies.get(COOKIE)
    return (cookie, True) if cookie else (None, False)
