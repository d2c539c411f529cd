"""A log that grows, read as it does: each look reads only what was added since the one before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.errors import Conflict, CorruptLog
from luthier.store import segments
from luthier.store.codec import decode, sound

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from luthier.store.base import Record


class Tail:
    """Reads what comes to the log in *directory*, without a lock; somebody else may write meanwhile.

    Args:
        directory: the experiment's directory.
        after: number of the first event that is wanted.
        unpickle: whether values that only a pickle can tell are loaded.

    Attributes:
        end: number of the first event that has not been read yet.

    >>> import tempfile
    >>> from luthier.core.events import Stalled
    >>> from luthier.store.jsonl import JsonlStore
    >>> with tempfile.TemporaryDirectory() as directory, JsonlStore(directory) as store:
    ...     tail = Tail(directory)
    ...     store.append([Stalled()], after=0), [record.first for record in tail.look()]
    ...     store.append([Stalled()], after=1), [record.first for record in tail.look()], list(tail.look())
    (1, [0])
    (2, [1], [])
    """

    def __init__(self, directory: str | os.PathLike[str], after: int = 0, *, unpickle: bool = True) -> None:
        self._events, self._after, self._unpickle = Path(directory) / "events", after, unpickle
        self.end = 0
        self._path: Path | None = None  # of the segment that was read last, up to
        self._offset = self._line = 0

    def look(self) -> Iterator[Record]:
        """Yield the records that are there by now; one that is just being written comes with a later look.

        Raises:
            Conflict: the log lacks what was in it before (a batch that could not be made safe was taken back): begin
                anew.
            CorruptLog: something in it cannot be read.
        """
        while True:
            if self._path is not None:
                yield from self._rest(self._path)
            following = self._following()
            if following is None:
                return
            self._path, self._offset, self._line = following.path, 0, 0
            self.end = following.first

    def _following(self) -> segments.Segment | None:
        """Return the segment to read next; None where there is none yet."""
        listed = segments.listed(self._events)
        if self._path is None:
            return next(iter(segments.starting_at(listed, self._after)), None)
        later = [segment for segment in listed if segment.first >= self.end and segment.path != self._path]
        if later and later[0].first > self.end:
            raise CorruptLog(segments.gap(later[0].path, 1, self.end, later[0].first))
        return later[0] if later else None

    def _rest(self, path: Path) -> Iterator[Record]:
        try:
            with path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    raise Conflict(f"{path} is shorter than it was: read it anew.")
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            raise Conflict(f"{path} is gone: look for the log anew.") from None
        begin = 0
        while (stop := added.find(b"\n", begin) + 1) > 0:
            line = added[begin:stop]
            if stop == len(added) and not sound(line):
                return  # what a power cut leaves; more may come after it, and then it is an error
            try:
                record = decode(line, unpickle=self._unpickle)
            except CorruptLog as error:
                raise CorruptLog(f"{path}, line {self._line + 1}: {error}") from error
            if record.first != self.end:
                raise CorruptLog(segments.gap(path, self._line + 1, self.end, record.first))
            begin = stop
            self._offset, self._line, self.end = self._offset + len(line), self._line + 1, record.end
            if record.end > self._after:
                yield record.since(self._after)
