"""Answers that a browser saves as files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastapi.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator


def attached(name: str) -> dict[str, str]:
    """Return the headers that make a browser save an answer as *name*.

    >>> attached('a"b/c.csv')
    {'Content-Disposition': 'attachment; filename="a_b_c.csv"'}
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:150]
    return {"Content-Disposition": f'attachment; filename="{safe}"'}


def streamed(events: AsyncGenerator[bytes, None]) -> StreamingResponse:
    """Return an answer that sends *events* as they come; what lies between is asked not to keep them back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def streaming(parts: Iterator[str] | Iterator[bytes], media_type: str, name: str) -> StreamingResponse:
    """Return an answer that is sent as it is made, to be saved as *name*."""
    return StreamingResponse(parts, media_type=media_type, headers=attached(name))
