"""Nested dicts, and dates, as scripts know them."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.tune.flat import flattened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def flatten_dict(dt: dict[str, Any], delimiter: str = "/", prevent_delimiter: bool = False) -> dict[str, Any]:
    """Return nested dicts as one, keys joined by *delimiter*.

    Raises:
        BadArgument: a key has the delimiter in it, and *prevent_delimiter*.

    >>> flatten_dict({"a": {"b": 1}, "c": 2})
    {'a/b': 1, 'c': 2}
    """
    if prevent_delimiter:
        for key, value in dt.items():
            if delimiter in str(key):
                raise BadArgument("dt", dt, f"keys without {delimiter!r}", f"there is {key!r}")
            if isinstance(value, dict):
                flatten_dict(value, delimiter, prevent_delimiter=True)
    return flattened(dt, delimiter)


def unflatten_dict(dt: Mapping[str, Any], delimiter: str = "/") -> dict[str, Any]:
    """Return one dict as nested ones, keys split at *delimiter*.

    >>> unflatten_dict({"a/b": 1, "a/c": 2, "d": 3})
    {'a': {'b': 1, 'c': 2}, 'd': 3}
    """
    nested: dict[str, Any] = {}
    for key, value in dt.items():
        *path, last = str(key).split(delimiter)
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return nested


def unflattened_lookup(flat_key: str, lookup: Mapping[str, Any], delimiter: str = "/", **kwargs: Any) -> Any:
    """Return what nested dicts have under a joined key; ``default=`` where they have nothing.

    Raises:
        KeyError: they have nothing there, and there is no default.

    >>> unflattened_lookup("a/b", {"a": {"b": 1}}), unflattened_lookup("x", {}, default=0)
    (1, 0)
    """
    if flat_key in lookup:
        return lookup[flat_key]
    place: Any = lookup
    for part in flat_key.split(delimiter):
        try:
            place = place[int(part)] if isinstance(place, list) else place[part]
        except (KeyError, IndexError, TypeError, ValueError):
            if "default" in kwargs:
                return kwargs["default"]
            raise KeyError(flat_key) from None
    return place


def deep_update(
    original: dict[str, Any],
    new_dict: Mapping[str, Any],
    new_keys_allowed: bool = False,
    allow_new_subkey_list: Sequence[str] = (),
    override_all_if_type_changes: Sequence[str] = (),
) -> dict[str, Any]:
    """Write what is in *new_dict* into *original*, dict by dict, and return it.

    Args:
        original: changed in place.
        new_dict: what is new.
        new_keys_allowed: whether it may have keys that *original* has not.
        allow_new_subkey_list: keys of dicts that may get new keys in any case.
        override_all_if_type_changes: keys of dicts that are replaced as a whole where their ``"type"`` changes.

    Raises:
        BadArgument: a key is new, and may not be.

    >>> deep_update({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    for key, value in new_dict.items():
        if key not in original and not new_keys_allowed:
            raise BadArgument("new_dict", new_dict, f"keys out of {sorted(original)}", f"{key!r} is not known")
        old = original.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            kind = value.get("type", old.get("type"))
            if key in override_all_if_type_changes and kind != old.get("type"):
                original[key] = value
            else:
                deep_update(old, value, new_keys_allowed or key in allow_new_subkey_list)
        else:
            original[key] = value
    return original


def merge_dicts(d1: dict[str, Any], d2: Mapping[str, Any]) -> dict[str, Any]:
    """Return *d1* and *d2* as one, dict by dict; where both have something, it is *d2*'s.

    >>> merge_dicts({"a": {"b": 1}}, {"a": {"c": 2}})
    {'a': {'b': 1, 'c': 2}}
    """
    return deep_update(copy.deepcopy(d1), d2, new_keys_allowed=True)


def date_str() -> str:
    """Return now, as directories of experiments are called.

    >>> len(date_str())
    19
    """
    return time.strftime("%Y-%m-%d_%H-%M-%S")
