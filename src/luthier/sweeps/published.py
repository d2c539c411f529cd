"""The JSON Schema of sweep files."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of sweep files; a new one each time.

    >>> schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    found: dict[str, Any] = json.loads(_text())
    return found


@cache
def _text() -> str:
    return files("luthier.sweeps").joinpath("schema.json").read_text("utf-8")


@cache
def definition(name: str) -> dict[str, Any]:
    """Return a part of the schema, to be read only.

    >>> definition("metric")["required"]
    ['name']
    """
    found: dict[str, Any] = schema()["$defs"][name]
    return found
