"""Answers that a browser saves as files."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

from fastapi.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from starlette.requests import Request

    from luthier.server.reading.sight import Stands

ASK_EVERY_S = 20.0  # whether a key still stands


def attached(name: str) -> dict[str, str]:
    """Return the headers that make a browser save an answer as *name*.

    >>> attached('a"b/c.csv')
    {'Content-Disposition': 'attachment; filename="a_b_c.csv"'}
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:150]
    return {"Content-Disposition": f'attachment; filename="{safe}"'}


def streamed(events: AsyncGenerator[bytes, None], request: Request, stands: Stands | None) -> StreamingResponse:
    """Return an answer that sends *events* as they come, for as long as who sent *request* would be let in.

    What lies between is asked not to keep them back.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_while_let_in(events, request, stands), media_type="text/event-stream", headers=headers)


async def _while_let_in(
    events: AsyncGenerator[bytes, None], request: Request, stands: Stands | None
) -> AsyncGenerator[bytes, None]:
    asked = time.monotonic()
    async with contextlib.aclosing(events):
        async for part in events:
            if stands is not None and time.monotonic() - asked > ASK_EVERY_S:
                asked = time.monotonic()
                if not await stands(request):
                    return
            yield part


def streaming(parts: Iterator[str] | Iterator[bytes], media_type: str, name: str) -> StreamingResponse:
    """Return an answer that is sent as it is made, to be saved as *name*."""
    return StreamingResponse(parts, media_type=media_type, headers=attached(name))
