"""Warnings that are given once in the life of a process."""

from __future__ import annotations

import warnings

_given: set[str] = set()


def warn_once(key: str, text: str, category: type[Warning] = UserWarning, *, stacklevel: int = 3) -> None:
    """Warn with *text*, unless a warning of that *key* was given before.

    *stacklevel* counts from here: 3 is the caller of who calls this.
    """
    if key not in _given:
        _given.add(key)
        warnings.warn(text, category, stacklevel=stacklevel)


def deprecated(old: str, new: str, *, stacklevel: int = 4) -> None:
    """Warn once that *old* is an old spelling of *new*."""
    text = f"{old} is an old spelling; write {new}"  # several libraries have an old name in common, and not the new one
    warn_once(text, text, DeprecationWarning, stacklevel=stacklevel)


def forget_all() -> None:
    """Give every warning once more (tests ask for that)."""
    _given.clear()
