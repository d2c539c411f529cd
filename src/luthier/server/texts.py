"""Values as texts of JSON in the database, and back; nothing that came over the network is ever unpickled."""

from __future__ import annotations

from typing import Any

import msgspec

from luthier.store.values import from_json, to_json

_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


def text(value: object) -> str:
    """Return *value* as JSON, as :mod:`luthier.store.values` writes it.

    >>> text({"lr": float("nan")})
    '{"lr":{"$":"float","v":"nan"}}'
    """
    return _encode(to_json(value)).decode()


def value(text: str | bytes) -> Any:
    """Return what :func:`text` was given.

    >>> value('{"lr":{"$":"float","v":"inf"}}')
    {'lr': inf}
    """
    return from_json(_decode(text), unpickle=False)
