"""Fixing some values of a space."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space.described import described, holds_domains
from luthier.core.space.likeness import remade
from luthier.core.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Mapping


def fixed(space: Space, values: Mapping[str, Any], argument: str = "points_to_evaluate[0]") -> Space:
    """Return *space* with *values* in place of what they name; the rest stays to be drawn.

    A value that the space would not give is taken all the same, with a warning.

    Args:
        space: the space.
        values: nested as the space is; a choice between dicts is given as a whole.
        argument: what to call *values* in messages.

    Raises:
        BadArgument: if *values* is no dict, or names what the space does not have.

    >>> from luthier.core.space import Float
    >>> fixed(Space({"a": Float(0, 1), "b": Float(0, 1)}), {"a": 0.5}).decode([0.25])
    {'a': 0.5, 'b': 0.25}
    """
    if not isinstance(values, dict):
        raise BadArgumentType(argument, values, "a dict of values")
    return Space(_overlaid(space.description, values, argument))


def _overlaid(node: Any, value: Any, argument: str) -> Any:
    if described(node, argument) is None:
        if isinstance(node, dict) and isinstance(value, dict) and described(value, argument) is None:
            return _overlaid_dict(node, value, argument)
        if isinstance(node, (list, tuple)) and isinstance(value, (list, tuple)) and len(node) == len(value):
            pairs = enumerate(zip(node, value, strict=True))
            items = [_overlaid(old, new, f"{argument}[{i}]") for i, (old, new) in pairs]
            return remade(node, items) if isinstance(node, tuple) else items
    if not holds_domains(value) and {"value": value} not in Space({"value": node}):
        warnings.warn(
            f"{argument}={value!r:.200} is not among the values of the search space: {node!r:.200}", stacklevel=2
        )
    return value


def _overlaid_dict(node: dict[str, Any], values: dict[str, Any], argument: str) -> dict[str, Any]:
    merged = node.copy()
    for key, value in values.items():
        if key not in node:
            known = ", ".join(map(repr, node)) or "nothing: param_space is empty there"
            raise BadArgument(f"{argument}[{key!r}]", value, f"a key that param_space has ({known})")
        merged[key] = _overlaid(node[key], value, f"{argument}[{key!r}]")
    return merged
