"""Comparing and copying values of any kind."""

from __future__ import annotations

from typing import Any


def same(a: Any, b: Any) -> bool:
    """Whether *a* and *b* stand for the same value; never raises, whatever they are.

    True is not 1, but 1 is 1.0; NaN is NaN; arrays are compared by shape and elements, containers by what they hold
    (a list is like a tuple).
    """
    if a is b:
        return True
    if isinstance(a, dict) or isinstance(b, dict):
        return (
            isinstance(a, dict)
            and isinstance(b, dict)
            and a.keys() == b.keys()
            and all(same(value, b[key]) for key, value in a.items())
        )
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) is not isinstance(b, bool):
        return False
    if getattr(a, "shape", ()) != getattr(b, "shape", ()):
        return False
    try:
        equal = a == b
        if hasattr(equal, "all"):
            equal = equal.all()
        return bool(equal) or bool(a != a and b != b)  # noqa: PLR0124 (NaN)
    except Exception:  # noqa: BLE001 (a user's __eq__ may raise anything; it then says: not equal)
        return False


def holds_containers(value: object) -> bool:
    """Whether *value* is or holds a container that could be changed in place."""
    if isinstance(value, tuple):
        return any(map(holds_containers, value))
    return isinstance(value, (dict, list, set, bytearray))


def fresh(value: Any) -> Any:
    """Return *value* with new containers all the way down; what is in them, if not a container, is shared.

    >>> layers = [[32], [16]]
    >>> copy = fresh(layers)
    >>> copy == layers, copy[0] is layers[0]
    (True, False)
    """
    if isinstance(value, dict):
        if type(value) is dict:
            return {key: fresh(item) for key, item in value.items()}
        kept = value.copy()
        for key, item in value.items():
            kept[key] = fresh(item)
        return kept
    if isinstance(value, list):
        return [fresh(item) for item in value]
    if isinstance(value, tuple):
        return remade(value, [fresh(item) for item in value]) if holds_containers(value) else value
    if isinstance(value, (set, bytearray)):
        return value.copy()
    return value


def remade(like: tuple[Any, ...], items: list[Any]) -> tuple[Any, ...]:
    """Return *items* as a tuple of the class of *like* (named tuples too)."""
    make = getattr(type(like), "_make", tuple)
    made: tuple[Any, ...] = make(items)
    return made
