"""Who changed what, and when: one row for each change, in the change's own transaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from luthier.server import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 4000


def record(
    connection: sa.Connection, who: str, action: str, target: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Write down that *who* did *action* to *target*, in the transaction of *connection*.

    Args:
        connection: a writing one.
        who: the name of a key, or ``local``.
        action: a verb and what it is done to: ``sweep.create``, ``key.revoke``.
        target: an id.
        detail: what else is worth knowing; never a secret.
    """
    text = msgspec.json.encode(detail or {}, enc_hook=str).decode()
    if len(text) > _LONGEST:
        text = msgspec.json.encode({"cut": text[:_LONGEST]}).decode()
    row = {"at": time.time(), "who": who, "action": action, "target": target[:_LONGEST], "detail": text}
    connection.execute(tables.audit.insert(), row)


def entries(connection: sa.Connection, limit: int = 100, before: int | None = None) -> list[dict[str, Any]]:
    """Return the last *limit* rows, the newest first; those before the row *before*, to page on."""
    query = sa.select(tables.audit).order_by(tables.audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tables.audit.c.id < before)
    rows = connection.execute(query).mappings()
    return [{**row, "detail": msgspec.json.decode(row["detail"])} for row in rows]
