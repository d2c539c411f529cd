"""TensorBoard's event files, byte for byte: records with checksums, and in each of them an event.

The formats are those of TensorFlow's ``tf_record`` files, of ``event.proto``, ``summary.proto`` and of the HParams
plugin's ``plugin_data.proto``.  They are few enough to be written here: what reads them is TensorBoard, what would
write them imports whole frameworks.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), reflected
_MASK = 0xA282EAD8
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # kinds of fields
START = 1  # SessionLog.START
SUCCESS, FAILURE, RUNNING = 1, 2, 3  # api.proto's Status


def _table() -> list[int]:
    table = []
    for byte in range(256):
        rest = byte
        for _ in range(8):
            rest = rest >> 1 ^ _POLYNOMIAL if rest & 1 else rest >> 1
        table.append(rest)
    return table


_CRC = _table()


def crc32c(content: bytes) -> int:
    """Return the CRC-32C of *content*.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    rest, table = 0xFFFFFFFF, _CRC
    for byte in content:
        rest = table[(rest ^ byte) & 0xFF] ^ rest >> 8
    return rest ^ 0xFFFFFFFF


def record(content: bytes) -> bytes:
    """Return *content* as a record: its length and itself, each with a masked checksum."""
    length = struct.pack("<Q", len(content))
    return b"".join((length, _masked(length), content, _masked(content)))


def _masked(content: bytes) -> bytes:
    crc = crc32c(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


# -- fields --------------------------------------------------------------------------------------------------------
def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 (seven bits to a byte)
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def whole(number: int, value: int) -> bytes:
    """Return field *number* with a whole number."""
    return _varint(number << 3 | _VARINT) + _varint(value)


def double(number: int, value: float) -> bytes:
    """Return field *number* with a float of 8 bytes."""
    return _varint(number << 3 | _DOUBLE) + struct.pack("<d", value)


def single(number: int, value: float) -> bytes:
    """Return field *number* with a float of 4 bytes; what is too large for it is infinite."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        packed = struct.pack("<f", float("inf") if value > 0 else float("-inf"))
    return _varint(number << 3 | _FLOAT) + packed


def nested(number: int, content: bytes | str) -> bytes:
    """Return field *number* with a text, bytes, or another message."""
    raw = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    return _varint(number << 3 | _BYTES) + _varint(len(raw)) + raw


def doubles(number: int, values: Iterable[float]) -> bytes:
    """Return field *number* with several floats, packed."""
    return nested(number, b"".join(struct.pack("<d", value) for value in values))


# -- messages --------------------------------------------------------------------------------------------------------
def opening(at: float) -> bytes:
    """Return the event that every file begins with."""
    return double(1, at) + nested(3, "brain.Event:2")


def event(at: float, step: int, values: Iterable[bytes]) -> bytes:
    """Return the event with summary *values* of a step."""
    return double(1, at) + whole(2, step) + nested(5, b"".join(nested(1, value) for value in values))


def restart(at: float, step: int) -> bytes:
    """Return the event that says: what was written for *step* and later is to be forgotten."""
    return double(1, at) + whole(2, step) + nested(7, whole(1, START))


def scalar(tag: str, value: float) -> bytes:
    """Return a summary value: a number."""
    return nested(1, tag) + single(2, value)


def histogram(tag: str, values: Any) -> bytes:
    """Return a summary value: how *values* (an array of numbers, not empty) are spread, in up to 30 bins."""
    import numpy as np

    flat = np.asarray(values, dtype=float).ravel()
    counts, edges = np.histogram(flat, bins=min(30, max(1, flat.size)))
    parts = [double(1, flat.min()), double(2, flat.max()), double(3, flat.size), double(4, flat.sum())]
    parts += [double(5, float(flat @ flat)), doubles(6, edges[1:]), doubles(7, counts)]
    return nested(1, tag) + nested(5, b"".join(parts))


def image(tag: str, png: bytes, height: int, width: int, channels: int) -> bytes:
    """Return a summary value: a picture."""
    parts = whole(1, height) + whole(2, width) + whole(3, channels) + nested(4, png)
    return nested(1, tag) + nested(4, parts)


def hparams_begin(group: str, at: float, hparams: Mapping[str, str | bool | float]) -> bytes:
    """Return the summary value by which the HParams plugin knows a trial's parameters."""
    entries = [nested(1, nested(1, name) + nested(2, _value(value))) for name, value in hparams.items()]
    info = b"".join(entries) + nested(4, group) + double(5, at)
    return _hparams("_hparams_/session_start_info", nested(3, info))


def hparams_end(status: int, at: float) -> bytes:
    """Return the summary value by which the HParams plugin knows how a trial ended."""
    return _hparams("_hparams_/session_end_info", nested(4, whole(1, status) + double(2, at)))


def _hparams(tag: str, content: bytes) -> bytes:
    plugin = nested(1, "hparams") + nested(2, whole(1, 0) + content)
    empty = nested(8, whole(1, 1) + nested(2, b"") + nested(5, struct.pack("<f", 0.0)))  # a tensor: a float, no value
    return nested(1, tag) + empty + nested(9, nested(1, plugin))


def _value(value: str | bool | float) -> bytes:
    """Return a ``google.protobuf.Value``."""
    if isinstance(value, bool):
        return whole(4, int(value))
    return nested(3, value) if isinstance(value, str) else double(2, float(value))
