"""W&B's JSON as values of ours, and back; numbers that JSON does not know stand bare in it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from luthier.core.errors import NotStorable
from luthier.core.native import native
from luthier.server.reading.plain import plain
from luthier.store.values import to_json

LONGEST_CURSOR = 12
OWN = "_wandb"  # what the client keeps there is about itself
_decode = msgspec.json.Decoder().decode


def loaded(text: str | bytes | None) -> Any:
    """Return the value that *text* holds, which must fit into the tables; None where there is none.

    Most lines are plain JSON; a bare NaN, among others, takes a parser that is five times slower.

    >>> loaded('{"loss": NaN}'), loaded("{"), loaded(None)
    ({'loss': nan}, None, None)
    """
    if not text:
        return None
    try:
        found = _decode(text)
        if native(found):
            return found
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # json.loads may know better
    try:
        found = json.loads(text)
        to_json(found)
    except (ValueError, RecursionError, NotStorable):
        return None
    return found


def mapping(text: str | bytes | None) -> dict[str, Any]:
    """Return the object that *text* holds; an empty one where it holds none."""
    found = loaded(text)
    return found if isinstance(found, dict) else {}


def dumped(value: object) -> str:
    """Return *value* as JSON that W&B's client reads.

    >>> dumped({"loss": float("nan")})
    '{"loss": NaN}'
    """
    return json.dumps(_bare(value), default=str)


def strict(value: object) -> Any:
    """Return *value* for JSON that knows no NaN."""
    return plain(value)


def unwrapped(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config without what W&B puts around its values.

    >>> unwrapped({"lr": {"value": 0.1, "desc": None}, "_wandb": {"value": {"t": {}}}})
    {'lr': 0.1}
    """
    return {
        name: part["value"] if isinstance(part, dict) and "value" in part else part
        for name, part in config.items()
        if name not in {OWN, "wandb_version"}
    }


def wrapped(config: dict[str, Any], own: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return *config* with what W&B puts around its values.

    >>> wrapped({"lr": 0.1})
    {'lr': {'value': 0.1}}
    """
    found: dict[str, Any] = {name: {"value": value} for name, value in config.items()}
    return found if own is None else {**found, OWN: {"value": own}}


def place_of(cursor: str | None) -> int:
    """Return where to go on in a list that *cursor* came with.

    >>> place_of("50"), place_of(None), place_of("x")
    (50, 0, 0)
    """
    return int(cursor) if cursor and cursor.isascii() and cursor.isdigit() and len(cursor) < LONGEST_CURSOR else 0


def _bare(value: object) -> Any:
    if isinstance(value, dict):
        return {str(name): _bare(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_bare(part) for part in value]
    return value if value is None or isinstance(value, bool | int | float | str) else plain(value)
