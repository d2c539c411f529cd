"""What cannot be read or kept is refused with 422, in words that do not repeat it: it may not even be text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError

if TYPE_CHECKING:
    from fastapi import FastAPI

_MOST = 20


def add_refusals(app: FastAPI) -> None:
    """Have *app* refuse what its routes or the database cannot read or keep."""

    @app.exception_handler(RequestValidationError)
    async def unread(_request: Request, error: RequestValidationError) -> Response:
        wrong = [{"type": e["type"], "loc": list(e["loc"]), "msg": e["msg"]} for e in error.errors()[:_MOST]]
        return refusal(422, wrong)

    @app.exception_handler(DataError)
    @app.exception_handler(UnicodeEncodeError)
    @app.exception_handler(OverflowError)  # SQLite's driver says so of whole numbers beyond 64 bits
    async def unkept(_request: Request, _error: Exception) -> Response:
        return refusal(422, "it holds a value that cannot be kept: a character NUL, half of a character, a huge number")


def refusal(status: int, detail: object) -> Response:
    r"""Return an answer with *detail*, whatever characters it has.

    >>> refusal(422, "\ud800").body
    b'{"detail": "\\ud800"}'
    """
    return Response(json.dumps({"detail": detail}, default=str), status, media_type="application/json")
