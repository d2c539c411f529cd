"""Pictures that are reported as arrays, as PNG."""

from __future__ import annotations

import struct
import zlib
from typing import Any

_COLOURS = {1: 0, 3: 2, 4: 6}  # channels: PNG's colour type


def png(pixels: Any) -> tuple[bytes, int, int, int] | None:
    """Return *pixels* as (PNG, height, width, channels); None where they are no picture.

    Args:
        pixels: array of shape (channels, height, width) with 1, 3 or 4 channels; floats between 0 and 1, or whole
            numbers between 0 and 255.
    """
    import numpy as np

    channels, height, width = pixels.shape
    if channels not in _COLOURS or not height or not width or pixels.dtype.kind not in "biuf":
        return None
    shown = pixels * 255.0 if pixels.dtype.kind in "bf" else pixels
    rows = np.ascontiguousarray(np.moveaxis(np.clip(np.nan_to_num(shown), 0, 255).astype(np.uint8), 0, 2))
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(raw)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts), height, width, channels


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
