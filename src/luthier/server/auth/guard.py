"""The gate and the armor, put before an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.server.auth.armor import BODY_LIMIT, LARGER, BodyLimit, KnownHosts, Patience, SecureHeaders
from luthier.server.auth.entrance import Entrance
from luthier.server.auth.login import login_routes
from luthier.server.auth.routes import key_routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

    from luthier.server.auth.gate import Gate


def guard(
    app: FastAPI,
    gate: Gate,
    *,
    hosts: Sequence[str] = (),
    body_limit: int = BODY_LIMIT,
    larger_bodies: Sequence[tuple[str, str, int]] = LARGER,
) -> None:
    """Put *gate* before *app*, whose routes may come before or after this.

    Args:
        app: what is to be guarded, made with ``dependencies=gate.everywhere``.
        gate: who lets in.
        hosts: without keys, names of this server beside the loopback's.
        body_limit: bytes that a body may have.
        larger_bodies: routes that take more: ``(method, pattern of the path, bytes)``.
    """
    app.add_middleware(Entrance, gate=gate)  # the last one added comes first
    app.add_middleware(BodyLimit, limit=body_limit, larger=larger_bodies)
    if not gate.required:
        app.add_middleware(KnownHosts, also=hosts)
    app.add_middleware(Patience)
    app.add_middleware(SecureHeaders)
    app.include_router(login_routes(gate))
    app.include_router(key_routes(gate))
