"""Values as texts of JSON in the database, and back; nothing that came over the network is ever unpickled."""

from __future__ import annotations

from typing import Any

import msgspec

from luthier.core.native import TAG, native
from luthier.store.values import finite, from_json, to_json

_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
_TAGGED, _NULL = f'"{TAG}"', b"null"


def text(value: object) -> str:
    """Return *value* as JSON, as :mod:`luthier.store.values` writes it.

    Most values are plain, and are written as they are; the encoder would write NaN as null.

    >>> text({"lr": float("nan")}), text({"lr": 0.5})
    ('{"lr":{"$":"float","v":"nan"}}', '{"lr":0.5}')
    """
    if native(value):
        try:
            told = _encode(value)
        except (UnicodeEncodeError, ValueError):  # halves of characters, endless integers
            pass
        else:
            if _NULL not in told or finite(value):
                return told.decode()
    return _encode(to_json(value)).decode()


def value(text: str | bytes) -> Any:
    """Return what :func:`text` was given.

    >>> value('{"lr":{"$":"float","v":"inf"}}')
    {'lr': inf}
    """
    tagged = _TAGGED in text if isinstance(text, str) else _TAGGED.encode() in text
    found = _decode(text)
    return from_json(found, unpickle=False) if tagged else found
