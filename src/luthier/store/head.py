"""``.head``: how far a log had come, beside the log, so that it is noticed when its end is gone.

A log that lost its last segments, or was cut between two records, looks like a shorter log.  The hint is written by
whoever has just forced the log to the disk (about once a second), and when the log is closed: so the log is never
shorter than it says, unless something was lost.  It is only a hint: without it nothing is checked.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

FILE_NAME = ".head"
_SIZE = 63  # always the same, so that it is written by one write over the one before


class Head(msgspec.Struct, frozen=True):
    """What a log held at least.

    Attributes:
        segment: number of the first event of the segment that was written last.
        end: how many events the log held.
    """

    segment: int
    end: int


class HighWater:
    """How far the log has come in the segment that is being written; tells the hint.

    Args:
        directory: the experiment's directory.
        segment: number of the segment's first event.

    Attributes:
        end: how many events the log holds; the writer keeps it up to date.
    """

    __slots__ = ("_directory", "_segment", "_told", "end")

    def __init__(self, directory: Path, segment: int) -> None:
        self._directory, self._segment = directory, segment
        self.end = self._told = segment

    def tell(self, end: int) -> None:
        """Write that the log holds *end* events, unless that was told last."""
        if end != self._told:
            self._told = end
            write_head(self._directory, Head(self._segment, end))


def write_head(directory: Path, head: Head) -> None:
    """Write the hint over the one before; where that cannot be done, or is cut short, there is none."""
    text = msgspec.json.encode(head).ljust(_SIZE) + b"\n"
    try:
        fd = os.open(os.path.join(directory, FILE_NAME), os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError:
        return
    try:
        os.write(fd, text)
    except OSError:
        pass
    finally:
        os.close(fd)


def read_head(directory: Path) -> Head | None:
    """Return the hint, or None where there is none that can be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     write_head(Path(directory), Head(10, 25))
    ...     read_head(Path(directory))
    Head(segment=10, end=25)
    """
    try:
        return msgspec.json.decode(Path(directory, FILE_NAME).read_bytes(), type=Head)
    except (OSError, ValueError):
        return None
