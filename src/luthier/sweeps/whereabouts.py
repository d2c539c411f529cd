"""Where in a file the thing is that an error names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luthier.core.space import Path

_ITEM = re.compile(r"\[(\d+)\]")


def path_to(value: Any, where: str) -> Path:
    """Return the path in *value*, what a file holds, to what is called *where*, as far as it can be followed.

    Keys stand one after the other with dots between, places in lists in brackets; of ``hyperopt.HyperOptSearch`` the
    class is enough.

    >>> path_to({"tune": {"config": {"x": [1, {"tune.choice": 3}]}}}, "tune.config.x[1].tune.choice: categories")
    ('tune', 'config', 'x', 1, 'tune.choice')
    """
    path: list[Any] = []
    while where:
        if isinstance(value, list):
            item = _ITEM.match(where)
            if item is None or int(item[1]) >= len(value):
                break
            key, rest = int(item[1]), where[item.end() :]
        elif isinstance(value, dict):
            if set(value) == {"args", "kwargs"}:
                step = "args" if where.startswith("[") else "kwargs"
                path.append(step)
                value = value[step]
                continue
            found = _key(value, where)
            if found is None:
                break
            key, rest = found
        else:
            break
        path.append(key)
        value, where = value[key], rest.removeprefix(".")
    return tuple(path)


def _key(value: dict[str, Any], where: str) -> tuple[Any, str] | None:
    """Return the longest key of *value* that *where* begins with, and what follows it."""
    names = [(name, key) for key in value for name in {key, key.rpartition(".")[2]} if name]
    for name, key in sorted(names, key=lambda pair: -len(pair[0])):
        rest = where.removeprefix(name)
        if len(rest) < len(where) and (not rest or rest[0] in ".[:"):
            return key, rest
    return None
