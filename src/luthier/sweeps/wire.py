"""JSON as it travels between programs, agents and the server: NaN and infinities survive, pickles never travel.

Values that JSON lacks are written as :mod:`luthier.store.values` does.
"""

from __future__ import annotations

from typing import Any

import msgspec

from luthier.store.values import from_json, to_json

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode(value: Any) -> bytes:
    """Return *value* as JSON.

    >>> encode({"loss": float("nan")})
    b'{"loss":{"$":"float","v":"nan"}}'
    """
    return _encode(to_json(value))


def decode(data: bytes) -> Any:
    """Return what :func:`encode` was given.

    Raises:
        ValueError: it is no JSON.

    >>> decode(b'{"loss":{"$":"float","v":"-inf"}}')
    {'loss': -inf}
    """
    try:
        return from_json(_decode(data), unpickle=False)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a tagged value is malformed: {error}") from error
