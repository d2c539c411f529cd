"""Views that object to being written."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

_PLAIN = (str, bytes, int, float, bool, type(None))


class Written(AssertionError):
    """A policy wrote to what it may only read."""


def ReadOnly(view: T) -> T:  # noqa: N802 (it stands for a class: what it returns looks like *view*)
    """Return *view* behind a proxy that raises :class:`Written` on any write, at any depth.

    >>> from luthier.core.state import ExperimentState
    >>> ReadOnly(ExperimentState()).stopping = True
    Traceback (most recent call last):
    luthier.testing.views.Written: a view was written: stopping = True
    """
    proxy: Any = _ReadOnlyView(view)
    return proxy  # type: ignore[no-any-return]


def _shown(value: Any) -> Any:
    """Return *value* as a policy may see it."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return ReadOnlyDict({key: _shown(v) for key, v in value.items()})
    if isinstance(value, list):
        return ReadOnlyList(map(_shown, value))
    return _ReadOnlyView(value) if type(value).__name__ in ("TrialState", "ExperimentState") else value


class _ReadOnlyView:
    __slots__ = ("_view",)

    def __init__(self, view: Any) -> None:
        object.__setattr__(self, "_view", view)

    def __getattr__(self, name: str) -> Any:
        value = getattr(object.__getattribute__(self, "_view"), name)
        if callable(value):
            return lambda *arguments, **named: _shown(value(*arguments, **named))
        return _shown(value)

    def __len__(self) -> int:
        return len(object.__getattribute__(self, "_view"))

    def __setattr__(self, name: str, value: object) -> None:
        raise Written(f"a view was written: {name} = {value!r}")

    def __delattr__(self, name: str) -> None:
        raise Written(f"a view was written: del {name}")

    def __repr__(self) -> str:
        return f"ReadOnly({object.__getattribute__(self, '_view')!r})"


def _refuse(*_: object, **__: object) -> NoReturn:
    raise Written("a view was written: a dict or list of it")


class ReadOnlyDict(dict[Any, Any]):
    """A dict that objects to being written."""

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return {key: deepcopy(value, memo) for key, value in self.items()}  # a copy is its owner's


class ReadOnlyList(list[Any]):
    """A list that objects to being written."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return [deepcopy(value, memo) for value in self]
