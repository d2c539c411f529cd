"""API keys: made, shown once, looked up, revoked.

A key is ``luthier_`` and 40 hexadecimal digits: 160 random bits, in a form that W&B's client takes for one of its own.
What is stored is its SHA-256.  Slow hashes are there for passwords, which people choose and others guess; nobody
guesses 160 random bits, and a fast hash can be looked up by its index on every request.

A browser that logs in gets a session: a key with an end, whose parent is the key that it logged in with.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from luthier.core.errors import BadArgument
from luthier.server.auth import audit
from luthier.server.auth.caller import Caller, Role
from luthier.server.database import reading, writing
from luthier.server.tables import keys, projects

if TYPE_CHECKING:
    from collections.abc import Callable

_FORM = re.compile(r"luthier_[0-9a-f]{40}")
_LONGEST_NAME = 100
_FRESH_S = 2.0  # how long another process's revocation may stay unheard here
_USED_S = 60.0  # how exact used_at is
_MOST = 10_000
COOKIE = "luthier_session"
SESSION_S = 7 * 86400.0


def make_key() -> str:
    """Return a new key.

    >>> len(make_key())
    48
    """
    return f"luthier_{secrets.token_hex(20)}"


def digest(key: str) -> str:
    """Return what is stored of *key*."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class Keys:
    """The keys in a database.

    What was found stays in memory for two seconds, and is forgotten at once when this process revokes it.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine, self._clock = engine, clock
        self._found: dict[str, tuple[float, Caller]] = {}  # by digest: when it was looked up, whose it is
        self._revoked = 0  # how often: what was looked up before the last time is not kept

    def add(self, name: str, role: Role, project_id: int | None = None, *, by: Caller) -> tuple[str, str]:
        """Make a key; return its id and the key itself, which cannot be had again.

        Raises:
            BadArgument: the name is empty or too long, or the project is not there.
        """
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            raise BadArgument("name", name, f"1 to {_LONGEST_NAME} characters that can be printed")
        key, key_id = make_key(), secrets.token_hex(5)
        row = {"id": key_id, "hash": digest(key), "name": name, "role": role.word, "project_id": project_id}
        with writing(self._engine) as connection:
            if project_id is not None:
                known = connection.execute(sa.select(projects.c.id).where(projects.c.id == project_id)).first()
                if known is None:
                    raise BadArgument("project", project_id, "a project that is there")
            connection.execute(keys.insert(), {**row, "created_at": self._clock()})
            audit.record(
                connection, by.name, "key.create", key_id, {"name": name, "role": role.word, "project_id": project_id}
            )
        return key_id, key

    def listed(self, project_id: int | None = None) -> list[dict[str, Any]]:
        """Return the keys (of *project_id*, if that is given) without what is secret, the newest first."""
        columns = [keys.c[name] for name in ("id", "name", "role", "project_id", "created_at", "used_at", "revoked_at")]
        query = (
            sa.select(*columns, projects.c.name.label("project"))
            .outerjoin_from(keys, projects, keys.c.project_id == projects.c.id)
            .where(keys.c.parent_id.is_(None))
            .order_by(keys.c.created_at.desc(), keys.c.id)
        )
        if project_id is not None:
            query = query.where(keys.c.project_id == project_id)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def any(self) -> bool:
        """Return whether there is a key that opens the server."""
        query = sa.select(keys.c.id).where(keys.c.revoked_at.is_(None), keys.c.parent_id.is_(None)).limit(1)
        with reading(self._engine) as connection:
            return connection.execute(query).first() is not None

    def revoke(self, key_id: str, *, by: Caller) -> bool:
        """Revoke the key and its sessions; return False if *by* sees no such key, or it is revoked already."""
        chosen = [keys.c.id == key_id, keys.c.revoked_at.is_(None)]
        if by.project_id is not None:
            chosen.append(keys.c.project_id == by.project_id)
        with writing(self._engine) as connection:
            now = self._clock()
            if not connection.execute(keys.update().where(*chosen).values(revoked_at=now)).rowcount:
                return False
            connection.execute(keys.delete().where(keys.c.parent_id == key_id))
            audit.record(connection, by.name, "key.revoke", key_id)
        self._forget()
        return True

    def open_session(self, caller: Caller) -> str:
        """Return the token of a new session of a browser, with the rights of the key of *caller*; a week long."""
        token, now = make_key(), self._clock()
        row = {"id": secrets.token_hex(5), "hash": digest(token), "name": caller.name, "role": caller.role.word}
        more = {"project_id": caller.project_id, "parent_id": caller.key_id, "created_at": now}
        with writing(self._engine) as connection:
            connection.execute(keys.delete().where(keys.c.expires_at < now))
            connection.execute(keys.insert(), {**row, **more, "expires_at": now + SESSION_S})
            audit.record(connection, caller.name, "session.open", str(caller.key_id))
        return token

    def close_session(self, token: str) -> None:
        """End a session."""
        with writing(self._engine) as connection:
            connection.execute(keys.delete().where(keys.c.hash == digest(token), keys.c.parent_id.is_not(None)))
        self._forget()

    def remembered(self, token: str) -> tuple[Caller | None, bool]:
        """Return whose *token* is as far as memory goes, and whether that is fresh; None if it was never seen here.

        Of several who ask for one that is not fresh, only the first is told so: that one is to :meth:`find` it.
        """
        hashed = digest(token)
        at, caller = self._found.get(hashed, (0.0, None))
        now = self._clock()
        if caller is None or (caller.expires_at is not None and caller.expires_at <= now):
            return None, False
        if now - at < _FRESH_S:
            return caller, True
        if hashed in self._found:  # it may have been revoked since the line above
            self._found[hashed] = (now, caller)
        return caller, False

    def find(self, token: str) -> Caller | None:
        """Return whose *token* is, as the database says."""
        if not _FORM.fullmatch(token):
            return None
        hashed, now, revoked = digest(token), self._clock(), self._revoked
        parent = keys.alias()
        query = sa.select(keys, parent.c.revoked_at.label("ended_at")).outerjoin(
            parent, keys.c.parent_id == parent.c.id
        )
        with reading(self._engine) as connection:
            row = connection.execute(query.where(keys.c.hash == hashed)).mappings().first()
        if row is None or not hmac.compare_digest(row["hash"], hashed) or not _stands(row, now):
            self._found.pop(hashed, None)
            return None
        whose = row["parent_id"] or row["id"]
        session = row["parent_id"] is not None
        caller = Caller(row["name"], Role.of(row["role"]), row["project_id"], whose, session, row["expires_at"])
        if row["used_at"] is None or now - row["used_at"] > _USED_S:
            with contextlib.suppress(OperationalError), writing(self._engine) as connection:  # busy: the next time
                connection.execute(keys.update().where(keys.c.hash == hashed).values(used_at=now))
        if revoked == self._revoked:
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[hashed] = (now, caller)
        return caller

    def _forget(self) -> None:
        self._revoked += 1
        self._found.clear()


def _stands(row: sa.RowMapping, now: float) -> bool:
    over = row["expires_at"] is not None and row["expires_at"] <= now
    return not over and row["revoked_at"] is None and row["ended_at"] is None
