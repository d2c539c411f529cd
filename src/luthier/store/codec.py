"""A batch of events as one line of JSON, and back.

    {"v":1,"first":12,"at":1767225600.5,"events":[{"is":"Reported","trial":"t0","attempt":1,"seq":3,...},...]}

``v`` is the version of the record.  A field that is unknown here is passed over; a record of a newer version is
refused.  Values that JSON cannot say are tagged, as :mod:`luthier.store.values` tells.

Most batches hold nothing but numbers and strings, and go through msgspec as they are (well under a microsecond per
report).  The slow way is taken only where a glance at the types, or at the outcome, says that it is needed: msgspec
would write NaN as null, a tuple as a list, an Enum as its value and a key 1 as "1".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, get_args

import msgspec

from luthier.core import events as ev
from luthier.core.errors import CorruptLog, NewerFormat, NotStorable
from luthier.core.goal import number
from luthier.core.terms import Label
from luthier.store.base import Record
from luthier.store.values import TAG, finite, from_json, native_dict, to_json

VERSION = 1

_KINDS: Mapping[str, type[ev.Event]] = {kind.__name__: kind for kind in get_args(ev.Event)}
_USERS = frozenset({"config", "metrics"})  # fields that users fill with what they like
_FREE: Mapping[type[ev.Event], tuple[str, ...]] = {
    kind: tuple(f for f in kind.__struct_fields__ if f in _USERS or f == "resources") for kind in _KINDS.values()
}
_fields = cache(msgspec.structs.fields)
_NUMBERS = frozenset({int, float})
_EMPTY: Mapping[str, object] = {}
_TAGGED = f'"{TAG}"'.encode()
_NULL = b"null"


class _Line(msgspec.Struct, frozen=True):
    v: int
    first: int
    at: float
    events: tuple[ev.Event, ...]


class _Loose(msgspec.Struct, frozen=True):
    """A record whose events are still as JSON has them."""

    first: int
    at: float
    events: tuple[dict[str, Any], ...]
    v: int


class _Version(msgspec.Struct, frozen=True):
    v: int


class _Extent(msgspec.Struct, frozen=True):
    v: int
    first: int
    events: tuple[msgspec.Raw, ...]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode
_decode_loose = msgspec.json.Decoder(_Loose).decode
_decode_version = msgspec.json.Decoder(_Version).decode
_decode_extent = msgspec.json.Decoder(_Extent).decode


def encode(record: Record) -> bytes:
    r"""Return *record* as one line, ``\n`` included.

    Raises:
        NotStorable: a value cannot be written; the text names event and path.

    >>> encode(Record(0, 1.5, (ev.WorkerLost("w0"),)))
    b'{"v":1,"first":0,"at":1.5,"events":[{"is":"WorkerLost","worker":"w0"}]}\n'
    """
    for event in record.events:
        for name in _FREE[event.__class__]:
            value = getattr(event, name)
            if value is None:
                continue
            if name == "resources":
                if TAG in value or not _NUMBERS.issuperset(map(type, value.values())):
                    return _encode_slowly(record)
            elif value.__class__ is not dict or not native_dict(value):
                return _encode_slowly(record)
    try:
        line = _encode(_Line(VERSION, record.first, record.at, record.events))
    except (UnicodeEncodeError, ValueError, TypeError, RecursionError):  # surrogates, endless integers, deep nests
        return _encode_slowly(record)
    if _NULL in line and not all(_finite(event) for event in record.events):
        return _encode_slowly(record)
    return line + b"\n"


def decode(line: bytes, *, unpickle: bool = True) -> Record:
    r"""Return the record that *line* holds (with or without its ``\n``).

    Raises:
        NewerFormat: a record of a newer version.
        CorruptLog: anything else that is not a record.
    """
    try:
        if _TAGGED in line:
            return _decode_slowly(line, unpickle=unpickle)
        raw = _decode(line)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        _refuse_newer(line)
        raise CorruptLog(f"not a record of events: {error}") from error
    if raw.v != VERSION:
        _refuse_newer(line)
    return Record(raw.first, raw.at, raw.events)


def extent(line: bytes) -> tuple[int, int]:
    """Return number of the first event in *line* and of the first after it, without decoding the events."""
    try:
        raw = _decode_extent(line)
    except (ValueError, RecursionError) as error:
        _refuse_newer(line)
        raise CorruptLog(f"not a record of events: {error}") from error
    if raw.v != VERSION:
        _refuse_newer(line)
    return raw.first, raw.first + len(raw.events)


def complete(line: bytes) -> bool:
    """Return whether *line* is JSON at all, whatever it says: one that was cut short is not."""
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_newer(line: bytes) -> None:
    try:
        version = _decode_version(line).v
    except (ValueError, RecursionError):
        return
    if version > VERSION:
        raise NewerFormat(
            f"this log holds records of version {version}, and this Luthier reads up to version {VERSION}: "
            "upgrade Luthier (pip install --upgrade luthier) to read it."
        )
    if version < VERSION:
        raise CorruptLog(f"a record of version {version}, which never was")


def _finite(event: ev.Event) -> bool:
    """Return whether a null in the outcome can only be a None (or text): no float is NaN or infinite."""
    return all(finite(getattr(event, name)) for name in _FREE[event.__class__])


def _encode_slowly(record: Record) -> bytes:
    events = [_loose(event) for event in record.events]
    try:
        line = _encode({"v": VERSION, "first": record.first, "at": record.at, "events": events})
    except RecursionError:
        kinds = ", ".join(sorted({type(event).__name__ for event in record.events}))
        raise NotStorable(f"a value in {kinds} is nested too deeply to be stored.") from None
    return line + b"\n"


def _loose(event: ev.Event) -> dict[str, object]:
    kind = type(event).__name__
    words: dict[str, object] = {"is": kind}
    for field in _fields(type(event)):
        value = getattr(event, field.name)
        path = f"{kind}.{field.name}"
        if value is None:
            if field.required:
                words[field.name] = None
        elif field.name == "resources":
            words[field.name] = to_json({name: _number(v, path) for name, v in _checked(value, path).items()}, (path,))
        elif field.name in _USERS:
            words[field.name] = to_json(_checked(value, path), (path,))
        elif field.required or value != field.default:
            words[field.name] = _word(value, path)
    return words


def _word(value: object, path: str) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Label):
        value = msgspec.structs.astuple(value)
    if isinstance(value, tuple):
        return [_word(x, path) for x in value]
    if not isinstance(value, str | int | float):
        raise NotStorable(f"{path} cannot be stored: it must be a string or a number, not {value!r:.200}.")
    return to_json(value, (path,))


def _number(value: object, path: str) -> float:
    found = number(value)
    if found is None:
        raise NotStorable(f"{path} cannot be stored: it must hold numbers, not {value!r:.200}.")
    return found


def _checked(value: object, path: str) -> dict[Any, object]:
    if not isinstance(value, Mapping):
        raise NotStorable(f"{path} cannot be stored: it must be a dict, not {value!r:.200}.")
    return dict(value)


def _decode_slowly(line: bytes, *, unpickle: bool) -> Record:
    raw = _decode_loose(line)
    if raw.v != VERSION:
        _refuse_newer(line)
    return Record(raw.first, raw.at, tuple(_tight(words, unpickle=unpickle) for words in raw.events))


def _tight(words: dict[str, Any], *, unpickle: bool) -> ev.Event:
    """Return the event that *words* spell: types are checked, but for what users filled in as they liked."""
    kind = _KINDS.get(words["is"])
    if kind is None:
        raise ValueError(f"an event of a kind that is unknown here: {words['is']!r}")
    words = {name: from_json(value, unpickle=unpickle) for name, value in words.items()}
    users = {name: value for name in _USERS if isinstance(value := words.get(name), dict)}
    event = msgspec.convert(words | dict.fromkeys(users, _EMPTY), kind)
    for name, value in users.items():
        msgspec.structs.force_setattr(event, name, value)
    return event
