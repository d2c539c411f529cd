"""What the client of a run sends: its history, its summary, what it prints, and its end."""

from __future__ import annotations

from typing import Any

import msgspec

from luthier.core.errors import BadArgument
from luthier.server.wandb import console
from luthier.server.wandb.values import OWN, loaded, mapping
from luthier.server.wire import Code, Count

_FARTHEST = 1e12  # seconds; NaN is within no limits
HISTORY, SUMMARY, EVENTS, OUTPUT = "wandb-history.jsonl", "wandb-summary.json", "wandb-events.jsonl", "output.log"


class _Part(msgspec.Struct):
    """Lines of one of the files, from number *offset* on."""

    content: list[str] = []
    offset: Count = 0


class Body(msgspec.Struct):
    """What the client sends."""

    files: dict[str, _Part] = {}
    complete: bool | None = None
    exitcode: Code | None = None
    preempting: bool | None = None


class Told(msgspec.Struct):
    """The same, read."""

    rows: list[dict[str, Any]]
    at: list[float]
    first_row: int
    summary: dict[str, Any] | None
    system: dict[str, Any]
    system_rows: int
    lines: list[str]
    first_line: int
    complete: bool
    exit_code: int
    error: str


def read(body: bytes, now: float) -> Told:
    """Return what *body* says.

    Raises:
        BadArgument: it is not what W&B's client sends.
    """
    try:
        found = msgspec.json.decode(body or b"{}", type=Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadArgument("body", "what was sent", "files, complete and exitcode", str(error)) from error
    nothing = _Part()
    history, output = found.files.get(HISTORY, nothing), found.files.get(OUTPUT, nothing)
    summary, events = found.files.get(SUMMARY, nothing), found.files.get(EVENTS, nothing)
    rows = [mapping(line) for line in history.content]
    stamps = [row.get("_timestamp") for row in rows]
    values = loaded(summary.content[-1]) if summary.content else None
    return Told(
        rows=rows,
        at=[_time(at, now) for at in stamps],
        first_row=history.offset,
        summary={k: v for k, v in values.items() if k != OWN} if isinstance(values, dict) else None,
        system=mapping(events.content[-1]) if events.content else {},
        system_rows=events.offset + len(events.content),
        lines=output.content,
        first_line=output.offset,
        complete=bool(found.complete),
        exit_code=found.exitcode or 0,
        error=console.errors(output.content) if found.complete and found.exitcode else "",
    )


def _time(given: object, now: float) -> float:
    """Return when a row was logged, by its client's clock; *now* where that says nothing that can be."""
    if not isinstance(given, int | float):
        return now
    return float(given) if -_FARTHEST < given < _FARTHEST else now
