"""Errors of reading as answers: what is not there is 404, what cannot be used 422."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from luthier.core.errors import BadArgument
from luthier.server.missing import NotThere
from luthier.server.reading.shapes import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response

ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such thing here."},
    422: {"model": Problem, "description": "Something in the request cannot be used."},
}
_NUL = "\x00"
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "events"}
}
FIGURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "a figure of plotly's"}
}
CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "a table"}
}
_ROWS = {"type": "array", "items": {"type": "object"}}
JSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": _ROWS}}, "description": "rows"}
}
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "text"}
}


class Answering(APIRoute):
    """A route that turns what reading raises into answers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route with that around it."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if _NUL in request.url.path or any(_NUL in value for value in request.path_params.values()):
                return refusal(404, "There is nothing of that name here.")
            if any(_NUL in name or _NUL in value for name, value in request.query_params.multi_items()):
                return refusal(422, "The request holds a character that no text here has.")
            try:
                return await handle(request)
            except NotThere as error:
                return refusal(404, str(error))
            except BadArgument as error:
                return refusal(422, str(error))

        return answer


def refusal(status: int, text: str) -> Response:
    """Return an answer that says what is wrong."""
    return JSONResponse({"detail": text}, status)
