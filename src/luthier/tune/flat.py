"""Nested dicts as flat ones."""

from __future__ import annotations

from typing import Any


def flattened(nested: dict[str, Any], delimiter: str = "/", prefix: str = "") -> dict[str, Any]:
    """Return *nested* dicts as one, keys joined by *delimiter*.

    >>> flattened({"a": {"b": 1}, "c": 2})
    {'a/b': 1, 'c': 2}
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat.update(flattened(value, delimiter, path + delimiter))
        else:
            flat[path] = value
    return flat
