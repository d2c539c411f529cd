"""The files that a log consists of: ``events-<number of the first event>.jsonl``, one batch of events per line.

A segment is only ever appended to, and never again once there is a later one.  What a crash leaves at the end of a
segment (half a line, a line without its end, zeros after a power cut) was never acknowledged: it counts as not there.
Damage anywhere else is an error.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from luthier.core.errors import CorruptLog
from luthier.store.codec import complete, decode, extent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.store.base import Record


class Segment(msgspec.Struct, frozen=True):
    """One file of a log, and the number of the first event that belongs into it."""

    path: Path
    first: int


class Torn(msgspec.Struct, frozen=True):
    """What a crash left at the end of a segment.

    Attributes:
        path: the segment.
        size: how many bytes from its end on do not count.
        line: number of the line that they begin, from 1.
    """

    path: Path
    size: int
    line: int

    def __str__(self) -> str:
        return f"{self.path}: the last {self.size} bytes (line {self.line}) were cut short by a crash and do not count"


def name(first: int) -> str:
    """Return the file name of the segment that begins with event number *first*.

    >>> name(17)
    'events-000000000017.jsonl'
    """
    return f"events-{first:012d}.jsonl"


def listed(directory: Path) -> list[Segment]:
    """Return the segments in *directory*, in order; none if it is not there."""
    found = [
        Segment(path, int(digits))
        for path in directory.glob("events-*.jsonl")
        if (digits := path.stem.removeprefix("events-")).isdecimal()
    ]
    return sorted(found, key=lambda segment: segment.first)


def lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    r"""Yield number (from 1), text (``\n`` included where it is there) and whether it is the last, of every line."""
    with path.open("rb") as file:
        held: tuple[int, bytes] | None = None
        for number, line in enumerate(file, 1):
            if held is not None:
                yield *held, False
            held = number, line
            if not line.endswith(b"\n"):  # do not look on: somebody may be writing the rest of it just now
                break
        if held is not None:
            yield *held, True


def records(segment: Segment, torn: list[Torn], *, unpickle: bool = True) -> Iterator[Record]:
    """Yield what *segment* holds, and append to *torn* what does not count at its end.

    Raises:
        CorruptLog: a line in the middle cannot be read, or events are missing.
        NewerFormat: the segment was written by a newer Luthier.
    """
    expected = segment.first
    for number, line, last in lines(segment.path):
        if last and not _whole(line):
            torn.append(Torn(segment.path, len(line), number))
            return
        try:
            record = decode(line, unpickle=unpickle)
        except CorruptLog as error:
            raise CorruptLog(f"{segment.path}, line {number}: {error}") from error
        if record.first != expected:
            raise CorruptLog(gap(segment.path, number, expected, record.first))
        expected = record.end
        yield record


def end(segment: Segment, torn: list[Torn]) -> int:
    """Return the number of the first event after *segment*, as :func:`records` would find it, but quicker."""
    expected = segment.first
    for number, line, last in lines(segment.path):
        if last and not _whole(line):
            torn.append(Torn(segment.path, len(line), number))
            break
        try:
            first, following = extent(line)
        except CorruptLog as error:
            raise CorruptLog(f"{segment.path}, line {number}: {error}") from error
        if first != expected:
            raise CorruptLog(gap(segment.path, number, expected, first))
        expected = following
    return expected


def starting_at(segments: list[Segment], after: int) -> list[Segment]:
    """Return *segments* without those that hold only events before number *after*."""
    skip = sum(following.first <= after for _, following in pairwise(segments))
    return segments[skip:]


def _whole(line: bytes) -> bool:
    return line.endswith(b"\n") and complete(line)


def gap(path: Path, line: int, expected: int, found: int) -> str:
    """Return what to say where number *found* stands and *expected* was due."""
    what = "are missing" if found > expected else "are there twice"
    low, high = sorted((expected, found))
    return f"{path}, line {line}: events {low} to {high - 1} {what}"
