"""Which values are plain through and through, so that any encoding can say them as they stand."""

from __future__ import annotations

from typing import Any

TAG = "$"  # a key that stands for something else in the log
MAX_DEPTH = 100  # what is nested deeper is an accident, and reading it back would need a deep stack
_SCALARS = frozenset({float, int, str, bool, type(None)})
_all_scalars, _all_strings = _SCALARS.issuperset, frozenset({str}).issuperset  # bound once: asked of every report


def native(value: object, depth: int = MAX_DEPTH) -> bool:
    """Return whether JSON can say *value*, nested at most *depth* deep, as it stands.

    NaN, infinities and lone surrogates pass: who encodes notices them more cheaply in the outcome.

    >>> native({"lr": 0.1, "layers": [64, 32]}), native({"layers": (64, 32)})
    (True, False)
    """
    kind = value.__class__
    if kind is dict:
        return native_dict(value, depth)  # type: ignore[arg-type]
    if kind is list:
        if _all_scalars(map(type, value)):  # type: ignore[call-overload]
            return True
        for x in value:  # type: ignore[attr-defined]
            if depth <= 0 or not native(x, depth - 1):
                return False
        return True
    return kind in _SCALARS


def native_dict(value: dict[Any, object], depth: int = MAX_DEPTH) -> bool:
    """As :func:`native`, for what is known to be a dict."""
    if TAG in value or not _all_strings(map(type, value)):
        return False
    if _all_scalars(map(type, value.values())):
        return True
    for x in value.values():
        if depth <= 0 or not native(x, depth - 1):
            return False
    return True
