"""The files that a log consists of: ``events-<number of the first event>.jsonl``, one batch of events per line.

A segment is only ever appended to, and never again once there is a later one.  What cannot be read at the end of a
segment (half a line after a crash, zeros after a power cut, a last record whose bits have changed) counts as not there,
and is told; whether events are missing then, the next segment's name says.  Damage with a sound record after it is an
error.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from luthier.core.errors import CorruptLog, DamagedRecord
from luthier.store.codec import decode, extent, sound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.store.base import Record


CURE = (
    "Put the file back from a copy; or, to go on from what precedes the damage, keep its first {lines} lines only and "
    "move the segments after it and the file .head away"
)


class Segment(msgspec.Struct, frozen=True):
    """One file of a log, and the number of the first event that belongs into it."""

    path: Path
    first: int


class Torn(msgspec.Struct, frozen=True):
    """What does not count at the end of a segment.

    Attributes:
        path: the segment.
        size: how many bytes from its end on do not count.
        line: number of the line that they begin, from 1.
        why: what is wrong with them; empty for half a line, which a crash leaves behind.
        lines: how many lines they are, a last one without its end included.
    """

    path: Path
    size: int
    line: int
    why: str = ""
    lines: int = 1

    def __str__(self) -> str:
        lines = f"line {self.line}" if self.lines == 1 else f"{self.lines} lines from line {self.line} on"
        what = f"{self.path}: the last {self.size} bytes ({lines})"
        if not self.why:
            return f"{what} were cut short by a crash and do not count"
        return f"{what} do not count: {self.why}. What was recorded there is lost"


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
        CorruptLog: a line with a sound one after it cannot be read, or events are missing.
        NewerFormat: the segment was written by a newer Luthier.
    """
    expected = segment.first
    found = lines(segment.path)
    for number, line, last in found:
        if last and not line.endswith(b"\n"):
            torn.append(Torn(segment.path, len(line), number))
            return
        try:
            record = decode(line, unpickle=unpickle)
        except CorruptLog as error:
            torn.append(_tail(segment.path, number, line, found, error))
            return
        if record.first != expected:
            raise CorruptLog(gap(segment.path, number, expected, record.first))
        expected = record.end
        yield record


def end(segment: Segment, torn: list[Torn]) -> int:
    """Return the number of the first event after *segment*, as :func:`records` would find it, but quicker."""
    expected = segment.first
    found = lines(segment.path)
    for number, line, last in found:
        if last and not line.endswith(b"\n"):
            torn.append(Torn(segment.path, len(line), number))
            break
        try:
            first, following = extent(line)
        except CorruptLog as error:
            torn.append(_tail(segment.path, number, line, found, error))
            break
        if first != expected:
            raise CorruptLog(gap(segment.path, number, expected, first))
        expected = following
    return expected


def _tail(path: Path, number: int, line: bytes, rest: Iterator[tuple[int, bytes, bool]], error: CorruptLog) -> Torn:
    """Return what does not count from *line* on.

    Raises:
        CorruptLog: it cannot be passed over, since *rest* holds something sound, or *line* itself is.
    """
    refusal = CorruptLog(f"{path}, line {number}: {error}. {CURE.format(lines=number - 1)}")
    if not isinstance(error, DamagedRecord):
        raise refusal from error
    size, count = len(line), 1
    for _, later, _ in rest:
        if later.endswith(b"\n") and sound(later):
            raise refusal from error
        size, count = size + len(later), count + 1
    if line.strip(b"\0\r\n") == b"":
        return Torn(path, size, number, "nothing but zeros, as a power cut leaves them", count)
    return Torn(path, size, number, str(error), count)


def starting_at(segments: list[Segment], after: int) -> list[Segment]:
    """Return *segments* without those that hold only events before number *after*."""
    skip = sum(following.first <= after for _, following in pairwise(segments))
    return segments[skip:]


def gap(path: Path, line: int, expected: int, found: int) -> str:
    """Return what to say where number *found* stands and *expected* was due."""
    what = "are missing" if found > expected else "are there twice"
    low, high = sorted((expected, found))
    return (
        f"{path}, line {line}: events {low} to {high - 1} {what}. Was a segment of the log deleted, copied or "
        "renamed? Put it back from a copy; or, to go on from what precedes the gap, move this segment, those after it "
        "and the file .head away"
    )


def loss(torn: Torn, following: Segment, end: int) -> str:
    """Return what to say where *following* does not begin where the segment before it ends, which is *torn*."""
    return (
        f"{torn.path}, line {torn.line}: {torn.why or 'cut short'}; events {end} to {following.first - 1} are missing. "
        f"{CURE.format(lines=torn.line - 1)}"
    )
