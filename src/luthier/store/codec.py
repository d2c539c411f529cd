"""A batch of events as one line of JSON, and back.

    {"v":2,"first":12,"at":1767225600.5,"events":[{"is":"Reported","trial":"t0","attempt":1,"seq":3,...}],"crc":"0f3a..."}

``v`` is the version of the record.  A field that is unknown here is passed over; a record of a newer version is
refused.  Values that JSON cannot say are tagged, as :mod:`luthier.store.values` tells.

``crc`` is the seal: always last, always eight hexadecimal digits, the CRC-32 of all bytes of the line before its comma.
A line with a seal that does not fit is damaged, whatever its version says.  Version 1 had no seal, and is still read.

Most batches hold nothing but numbers and strings, and go through msgspec as they are (well under a microsecond per
report).  The slow way is taken only where a glance at the types, or at the outcome, says that it is needed: msgspec
would write NaN as null, a tuple as a list, an Enum as its value and a key 1 as "1".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, get_args
from zlib import crc32

import msgspec

from luthier.core import events as ev
from luthier.core.errors import CorruptLog, DamagedRecord, NewerFormat, NotStorable
from luthier.core.goal import number
from luthier.core.native import TAG, native_dict
from luthier.core.terms import Label
from luthier.store.base import Record
from luthier.store.values import finite, from_json, to_json

VERSION = 2
UNSEALED = 1  # the version that had no seal
_SEAL = b',"crc":"%08x"}\n'
_ENDS = (b'"}\n', b'"}')

_KINDS: Mapping[str, type[ev.Event]] = {kind.__name__: kind for kind in get_args(ev.Event)}
_USERS = frozenset({"config", "metrics", "why"})  # fields that users and policies fill with what they like
_FREE: Mapping[type[ev.Event], tuple[str, ...]] = {
    kind: tuple(f for f in kind.__struct_fields__ if f in _USERS or f == "resources") for kind in _KINDS.values()
}
_fields = cache(msgspec.structs.fields)
_NUMBERS = frozenset({int, float})
_EMPTY: Mapping[str, object] = {}
_TAGGED = f'"{TAG}"'.encode()
_NULL = b"null"


class _Line(msgspec.Struct, frozen=True, gc=False):
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


_encoder = msgspec.json.Encoder()
_encode, _encode_into = _encoder.encode, _encoder.encode_into
_decode = msgspec.json.Decoder(_Line).decode
_decode_loose = msgspec.json.Decoder(_Loose).decode
_decode_version = msgspec.json.Decoder(_Version).decode
_decode_extent = msgspec.json.Decoder(_Extent).decode


def encode(record: Record) -> bytes:
    r"""Return *record* as one line, ``\n`` included.

    Raises:
        NotStorable: a value cannot be written; the text names event and path.

    >>> encode(Record(0, 1.5, (ev.WorkerLost("w0"),)))
    b'{"v":2,"first":0,"at":1.5,"events":[{"is":"WorkerLost","worker":"w0"}],"crc":"c1dfa97e"}\n'
    """
    line = bytearray()
    encode_into(line, record.first, record.at, record.events)
    return bytes(line)


def encode_into(line: bytearray, first: int, at: float, events: tuple[ev.Event, ...]) -> None:
    """Make *line* what :func:`encode` returns: for who writes many, and has a buffer to use again."""
    for event in events:
        for name in _FREE[event.__class__]:
            value = getattr(event, name)
            if value.__class__ is not dict:
                if value is not None:
                    return _encode_slowly(line, first, at, events)
            elif name == "resources":
                if TAG in value or not _NUMBERS.issuperset(map(type, value.values())):
                    return _encode_slowly(line, first, at, events)
            elif not native_dict(value):
                return _encode_slowly(line, first, at, events)
    try:
        _encode_into(_Line(VERSION, first, at, events), line)
    except (UnicodeEncodeError, ValueError, TypeError, RecursionError):  # surrogates, endless integers, deep nests
        return _encode_slowly(line, first, at, events)
    # CPython looks for the last one in half the time that it takes to look for the first, or for none.
    if line.rfind(_NULL) >= 0 and not all(map(_finite, events)):
        return _encode_slowly(line, first, at, events)
    del line[-1]
    line += _SEAL % crc32(line)
    return None


def sealed(text: bytes) -> bytes:
    r"""Return *text*, a JSON object, as a line with its seal.

    >>> sealed(b'{"v":2}')
    b'{"v":2,"crc":"f3c5c2f2"}\n'
    """
    text = text[:-1]
    return text + _SEAL % crc32(text)


def decode(line: bytes, *, unpickle: bool = True) -> Record:
    r"""Return the record that *line* holds (with or without its ``\n``).

    Raises:
        NewerFormat: a record of a newer version.
        DamagedRecord: not what was written once: its seal does not fit, or it is no JSON at all.
        CorruptLog: anything else that is not a record.
    """
    has_seal = _check_seal(line)
    try:
        if _TAGGED in line:
            return _decode_slowly(line, has_seal=has_seal, unpickle=unpickle)
        raw = _decode(line)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refusal(line, error, has_seal=has_seal) from error
    if not has_seal or raw.v != VERSION:
        _check_version(line, raw.v, has_seal=has_seal)
    return Record(raw.first, raw.at, raw.events)


def extent(line: bytes) -> tuple[int, int]:
    """Return number of the first event in *line* and of the first after it, without decoding the events.

    Raises:
        NewerFormat, DamagedRecord, CorruptLog: as :func:`decode`.
    """
    has_seal = _check_seal(line)
    try:
        raw = _decode_extent(line)
    except (ValueError, RecursionError) as error:
        raise _refusal(line, error, has_seal=has_seal) from error
    _check_version(line, raw.v, has_seal=has_seal)
    return raw.first, raw.first + len(raw.events)


def sound(line: bytes) -> bool:
    """Return whether *line* is as it was written: its seal fits, or it is of the version that had none, and is JSON."""
    try:
        extent(line)
    except DamagedRecord:
        return False
    except (CorruptLog, NewerFormat):
        return True
    return True


def _check_seal(line: bytes) -> bool:
    """Return whether *line* has a seal.

    Raises:
        DamagedRecord: it has one that does not fit.
    """
    text, _, seal = line.rpartition(b',"crc":"')
    if not text or seal[8:] not in _ENDS:
        return False
    if seal[:8] != b"%08x" % crc32(text):
        raise DamagedRecord("damaged: what it says is not what was written (its checksum does not fit)")
    return True


def _check_version(line: bytes, version: int, *, has_seal: bool) -> None:
    if version == VERSION and has_seal:
        return
    _refuse_newer(line)
    if version == VERSION:
        raise DamagedRecord("damaged: its checksum is missing")


def _refusal(line: bytes, error: Exception, *, has_seal: bool) -> CorruptLog:
    """Return what to raise where *line* cannot be decoded because of *error*."""
    _refuse_newer(line)
    if has_seal:
        return CorruptLog(f"not a record of events: {error}")
    version = _version_of(line)
    if version is None and not _is_json(line):
        return DamagedRecord(f"not a record of events: {error}")
    return (DamagedRecord if version == VERSION else CorruptLog)(f"not a record of events: {error}")


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _version_of(line: bytes) -> int | None:
    try:
        return _decode_version(line).v
    except (ValueError, RecursionError):
        return None


def _refuse_newer(line: bytes) -> None:
    version = _version_of(line)
    if version is None:
        return
    if version > VERSION:
        raise NewerFormat(
            f"this log holds records of version {version}, and this Luthier reads up to version {VERSION}: "
            "upgrade Luthier (pip install --upgrade luthier) to read it."
        )
    if version < UNSEALED:
        raise CorruptLog(f"a record of version {version}, which never was")


def _finite(event: ev.Event) -> bool:
    """Return whether a null in the outcome can only be a None (or text): no float is NaN or infinite."""
    return all(finite(getattr(event, name)) for name in _FREE[event.__class__])


def _encode_slowly(line: bytearray, first: int, at: float, events: tuple[ev.Event, ...]) -> None:
    words = [_loose(event) for event in events]
    try:
        text = _encode({"v": VERSION, "first": first, "at": at, "events": words})
    except RecursionError:
        kinds = ", ".join(sorted({type(event).__name__ for event in events}))
        raise NotStorable(f"a value in {kinds} is nested too deeply to be stored.") from None
    line[:] = sealed(text)


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


def _decode_slowly(line: bytes, *, has_seal: bool, unpickle: bool) -> Record:
    raw = _decode_loose(line)
    _check_version(line, raw.v, has_seal=has_seal)
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
