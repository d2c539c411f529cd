"""JSON texts of the database as values, and values as JSON that any program reads."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from luthier.callbacks.spelling import flat
from luthier.core.native import TAG
from luthier.store.values import Opaque, from_json

_TAGGED = f'"{TAG}"'
_ENDLESS = frozenset({"NaN", "Infinity", "-Infinity"})
_LONGEST = 2000  # letters of a value that JSON cannot say


def parsed(text: str) -> Any:
    """Return what *text*, as :mod:`luthier.store.values` writes it, holds; no pickle is loaded.

    >>> parsed('{"lr": {"$": "float", "v": "nan"}}')
    {'lr': nan}
    """
    value = msgspec.json.decode(text)
    return from_json(value, unpickle=False) if _TAGGED in text else value


def plain(value: object) -> Any:
    """Return *value* so that JSON can say it: NaN and infinities as texts, what is no value of JSON as it prints.

    >>> plain({"a": float("nan"), "b": (1, float("-inf"))})
    {'a': 'NaN', 'b': [1, '-Infinity']}
    """
    kind = value.__class__
    if kind is float:
        if math.isfinite(value):  # type: ignore[arg-type]
            return value
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # type: ignore[operator]  # noqa: PLR0124
    if kind is str:
        return _sound(value)  # type: ignore[arg-type]
    if kind is bool or value is None:
        return value
    if kind is int:
        return value if abs(value) < 1 << 3300 else hex(value)  # type: ignore[arg-type]
    if isinstance(value, dict):
        return {_sound(str(name)): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    shown = (value.shows or value.type) if isinstance(value, Opaque) else str(value)
    return _sound(shown[:_LONGEST])


def _sound(text: str) -> str:
    """Return *text* with escapes in place of halves of characters, which no JSON holds."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def numeric(value: object) -> bool:
    """Return whether *value*, as :func:`plain` has it, is a number, NaN and infinities among them.

    >>> numeric(1.5), numeric("NaN"), numeric("adam"), numeric(True)
    (True, True, False, False)
    """
    kind = value.__class__
    return kind is float or kind is int or (kind is str and value in _ENDLESS)


def leaves(text: str) -> dict[str, Any]:
    """Return the leaves of a JSON object by their paths with slashes, each as :func:`plain` has it.

    >>> leaves('{"a": {"b": 1}, "c": [2]}')
    {'a/b': 1, 'c': [2]}
    """
    found = parsed(text)
    return dict(flat(plain(found))) if isinstance(found, dict) else {}
