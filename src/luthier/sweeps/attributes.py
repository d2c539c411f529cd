"""The parameters of a run, as a program likes to read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any


class Parameters(MutableMapping[str, Any]):
    """A dict whose values are attributes as well, at every depth.

    >>> config = Parameters({"lr": 0.1, "model": {"depth": 3}})
    >>> config.lr, config["model"]["depth"], config.model.depth, config.as_dict()
    (0.1, 3, 3, {'lr': 0.1, 'model': {'depth': 3}})
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        object.__setattr__(self, "_values", {str(name): _inner(value) for name, value in (values or {}).items()})

    _values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = _inner(value)

    def __delitem__(self, name: str) -> None:
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_values" not in self.__dict__:
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(self._values) or "none"
            raise AttributeError(f"there is no parameter {name!r}; there are: {known}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        return repr(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain dicts, a copy."""
        return {n: v.as_dict() if isinstance(v, Parameters) else v for n, v in self._values.items()}


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return *defaults* with what is *given* instead; dicts are merged value by value.

    >>> merged({"lr": 1, "model": {"depth": 3, "width": 8}}, {"model": {"depth": 5}})
    {'lr': 1, 'model': {'depth': 5, 'width': 8}}
    """
    found = dict(defaults)
    for name, value in given.items():
        before = found.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        found[name] = merged(before, value) if both else value  # type: ignore[arg-type]  # both are mappings
    return found


def _inner(value: Any) -> Any:
    if isinstance(value, Parameters):
        return value
    return Parameters(value) if isinstance(value, Mapping) else value
