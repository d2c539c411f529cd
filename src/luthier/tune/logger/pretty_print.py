"""A result as text for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection


def pretty_print(result: dict[str, Any], exclude: Collection[str] | None = None) -> str:
    """Return *result* as YAML, without its config, what it does not know, and what is to be *excluded*.

    >>> print(pretty_print({"loss": {"train": 0.5}, "config": {}, "pid": 1}, exclude={"pid"}))
    loss:
      train: 0.5
    <BLANKLINE>
    """
    import yaml

    left_out = {"config", "hist_stats", *(exclude or ())}
    told = {name: value for name, value in result.items() if value is not None and name not in left_out}
    text: str = yaml.safe_dump(json.loads(json.dumps(told, default=_plain)), default_flow_style=False, sort_keys=True)
    return text


def _plain(value: Any) -> Any:
    """Return what JSON can say of *value*: arrays as lists, the rest as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
