"""What a function in a search space sees of the config so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Waiting: TypeAlias = Mapping[int, Mapping[Any, str]]  # id of a container -> keys without a value yet -> their names


class NotYet(Exception):
    """A function asked for a value that is still to be computed; it is called again later."""


class View(dict[Any, Any]):
    """A copy of (a part of) a config: values by key or by attribute, and ``.config`` for the whole.

    Asking for what is still to be computed raises :class:`NotYet`.
    """

    __slots__ = ("_own", "_top", "_waiting")

    def __init__(self, values: Mapping[Any, Any], waiting: Mapping[Any, str], own: object, *, top: bool) -> None:
        super().__init__(values)
        self._waiting, self._own, self._top = waiting, own, top

    def __missing__(self, key: Any) -> Any:
        if key in self._waiting:
            raise NotYet(self._waiting[key])
        if self._top:  # Ray Tune has known both: the config, and a spec with the config in it
            if key == "config":
                return self
            inner = dict.get(self, "config")
            if isinstance(inner, View):
                return inner[key]
        raise KeyError(key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the config has no {name!r}; it has {', '.join(map(str, dict.keys(self)))}") from None

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of *key*, or *default* where there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def _all(self) -> None:
        for key, name in self._waiting.items():
            if key != self._own:
                raise NotYet(name)

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or key in self._waiting

    def __iter__(self) -> Iterator[Any]:
        self._all()
        return dict.__iter__(self)

    def keys(self) -> Any:
        """Return the keys; all but the function's own must have their values."""
        self._all()
        return dict.keys(self)

    def values(self) -> Any:
        """Return the values; all but the function's own must be there."""
        self._all()
        return dict.values(self)

    def items(self) -> Any:
        """Return the items; all but the function's own must be there."""
        self._all()
        return dict.items(self)


class ListView(list[Any]):
    """A copy of a list in a config; see :class:`View`."""

    __slots__ = ("_waiting",)

    def __init__(self, values: list[Any], waiting: Mapping[Any, str]) -> None:
        super().__init__(values)
        self._waiting = waiting

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        place = key + len(self) if key < 0 else key
        if place in self._waiting:
            raise NotYet(self._waiting[place])
        return list.__getitem__(self, key)

    def __iter__(self) -> Iterator[Any]:
        for place in range(len(self)):
            yield self[place]


def viewed(value: Any, waiting: Waiting, own: tuple[int, object], *, top: bool = True) -> Any:
    """Return a view of *value*, for the function at the place *own* (id of its container, its key)."""
    if isinstance(value, dict):
        missing = waiting.get(id(value), {})
        shown = {k: viewed(v, waiting, own, top=False) for k, v in value.items() if k not in missing}
        return View(shown, missing, own[1] if own[0] == id(value) else None, top=top)
    if isinstance(value, list):
        return ListView([viewed(v, waiting, own, top=False) for v in value], waiting.get(id(value), {}))
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(viewed(v, waiting, own, top=False) for v in value)
    return value


def plain(value: Any) -> Any:
    """Return *value*, which a function gave back, without views."""
    if isinstance(value, View):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, dict) and type(value) is dict:
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, ListView) or type(value) is list:
        return [plain(v) for v in value]
    if type(value) is tuple:
        return tuple(map(plain, value))
    return value
