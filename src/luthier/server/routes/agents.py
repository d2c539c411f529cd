"""``/api/v1/agents``: agents come, tell, hear and leave."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request, Response

from luthier.core.errors import BadArgument
from luthier.server import exchange, wire

if TYPE_CHECKING:
    from luthier.server.auth.gate import Gate
    from luthier.server.service import Service


def _body(kind: type[Any]) -> dict[str, Any]:
    """Return what OpenAPI is to say of a body that is read by msgspec."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    resolved = components.get(schema.get("$ref", "").rpartition("/")[2], schema) if "$ref" in schema else schema
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": _inline(resolved, components)}}}
    }


def _inline(schema: Any, components: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inline(components[schema["$ref"].rpartition("/")[2]], components)
        return {key: _inline(value, components) for key, value in schema.items() if key != "discriminator"}
    return [_inline(part, components) for part in schema] if isinstance(schema, list) else schema


async def read(request: Request, decoder: msgspec.json.Decoder[Any]) -> Any:
    """Return the body of *request*.

    Raises:
        BadArgument: it is not what *decoder* reads.
    """
    try:
        return decoder.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadArgument("body", "what was sent", "JSON as /openapi.json tells", str(error)) from error


def answer(content: object, status: int = 200) -> Response:
    """Return *content* as JSON."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def router(service: Service, _gate: Gate) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1", tags=["agents"])

    @routes.post("/sweeps/{sweep}/agents", openapi_extra=_body(wire.Registration), summary="Register an agent")
    async def register(sweep: str, request: Request) -> Response:
        wish = await read(request, wire.REGISTRATION)
        exchange.offered(wish)  # what cannot be is refused here, and keeps the writer from nothing
        found = await service.write(
            lambda c: exchange.register(c, service.roster, sweep, wish, service.lease_s, time.time()), sweep
        )
        return answer(found, 201)

    @routes.post("/agents/{agent}/exchange", openapi_extra=_body(wire.Exchange), summary="Tell, and hear what to do")
    async def talk(agent: str, request: Request) -> Response:
        return answer(await service.exchange(agent, await read(request, wire.EXCHANGE)))

    @routes.post("/agents/{agent}/leave", status_code=204, summary="Leave, and give runs back")
    async def leave(agent: str) -> Response:
        await service.leave(agent)
        return Response(status_code=204)

    return routes
