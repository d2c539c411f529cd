"""One experiment's log in its directory: ``<experiment>/events/``, JSON lines that grep can read.

What survives what:

* The death of this process, by whatever signal: every batch that ``append`` returned from.  It is handed to the
  system in one write before ``append`` returns.
* A power cut: every batch up to the last ``fsync``.  With ``fsync="interval"`` (the default) that is about a second
  ago, and costs the writer nothing, since a small daemon thread does it; with ``"always"`` it is every batch, at some
  milliseconds each; with ``"never"`` it is whatever the system has written by itself, until ``close``.

One process writes, which a lock sees to; any number may read at the same time, without a lock.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument, Conflict, CorruptLog, StoreFailed, StoreFull
from luthier.store import segments
from luthier.store.codec import encode_into
from luthier.store.head import FILE_NAME, Head, HighWater, read_head, write_head
from luthier.store.lock import Holder, WriterLock, holder
from luthier.store.sync import Fsync, Syncer, fsync_named, sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from luthier.core.events import Event
    from luthier.store.base import Record

SEGMENT_BYTES = 16 << 20
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_open_stores: weakref.WeakSet[JsonlStore] = weakref.WeakSet()


class JsonlStore:
    """An :class:`~luthier.store.base.EventStore` in a directory.

    Args:
        directory: the experiment's directory; made if it is not there.
        readonly: only read, without taking the lock; ``append`` then raises.
        fsync: ``"never"``, ``"interval"`` (at most once per second, and on close) or ``"always"``.
        segment_bytes: a segment that holds this much is followed by a new one.
        unpickle: whether values that only a pickle can tell are loaded; if not, they are
            :class:`~luthier.store.values.Opaque`.  Say False for a log of somebody else's.
        clock: tells the time in unix seconds.

    Attributes:
        losses: what the log was found to lack at its end when it was opened for writing, in words; empty as a rule.

    Raises:
        Conflict: another store, here or in another process, writes to this log.
        CorruptLog: the log's last segment is damaged before its end, or gone.
        StoreFailed: the directory cannot be written.

    >>> import tempfile; from luthier.core.events import Stalled
    >>> with tempfile.TemporaryDirectory() as directory, JsonlStore(directory) as store:
    ...     store.append([Stalled()], after=0), [record.events for record in store.read()]
    (1, [(Stalled(),)])
    """

    _closed = "was never opened"  # for close() after a constructor that raised

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        readonly: bool = False,
        fsync: Fsync = "interval",
        segment_bytes: int = SEGMENT_BYTES,
        unpickle: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if fsync not in ("never", "interval", "always"):
            raise BadArgument("fsync", fsync, "'never', 'interval' or 'always'")
        self.directory = Path(directory).absolute()
        self._events = self.directory / "events"
        self._policy: Fsync = fsync
        self._always = fsync == "always"
        self._segment_bytes, self._unpickle, self._clock = segment_bytes, unpickle, clock
        self._torn: list[segments.Torn] = []
        self.losses: tuple[str, ...] = ()
        self._water = HighWater(self.directory, 0)
        self._one_at_a_time = threading.Lock()
        self._fd = -1
        self._tip = (0, 0)  # events in the log, bytes in the segment
        self._line = bytearray()  # the buffer of all lines
        self._writing = False
        self._broken = ""
        self._lock: WriterLock | None = None
        self._syncer: Syncer | None = None
        if readonly:
            self._closed = "was opened to be read only"
            return
        self._closed = ""
        try:
            self._events.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreFailed(
                f"{self._events} cannot be made: {error.strerror}. Give a storage path that you may write to."
            ) from error
        self._lock = WriterLock(self.directory / ".lock")
        try:
            self._tip = self._open_end(), 0
        except BaseException:
            self._lock.release()
            raise
        self._path = self._events / segments.name(self._tip[0])
        _open_stores.add(self)

    @property
    def torn(self) -> tuple[segments.Torn, ...]:
        """What crashes left at the ends of segments, as seen when opened and by the last complete ``read``.

        While somebody else writes, the last one may be a batch that is just being written.
        """
        return tuple(self._torn)

    def writer(self) -> Holder | None:
        """Return who writes to this log at the moment, or None: an experiment without a writer does not run."""
        return holder(self.directory / ".lock")

    def append(self, events: Sequence[Event], after: int) -> int:
        """See :meth:`EventStore.append <luthier.store.base.EventStore.append>`."""
        with self._one_at_a_time:
            if self._writing:
                self._settle()
            if self._closed or self._broken:
                raise StoreFailed(self._broken or f"the log in {self.directory} {self._closed}.")
            end, size = self._tip
            if after != end:
                raise Conflict(f"the log in {self.directory} holds {end} events, not {after}: read it again.")
            if not events:
                return end
            line = self._line
            encode_into(line, after, self._clock(), tuple(events))
            if size >= self._segment_bytes or self._fd < 0:
                self._begin_segment()
                size = 0
            syncer = self._syncer
            if syncer is not None and syncer.failures:
                self._heed(syncer)
            end += len(events)
            length = len(line)
            self._writing = True
            try:
                written = os.write(self._fd, line)
                if written < length or self._always:
                    self._finish(line, written)
            except OSError as error:
                failed = self._failed(error, self._path)  # tells the free space as it was
                self._settle()
                raise failed from error
            self._tip = end, size + length  # at once, so that no signal finds them half changed
            self._water.end = end
            self._writing = False
            if syncer is not None and not syncer.is_dirty():
                syncer.touch()
            return end

    def read(self, after: int = 0) -> Iterator[Record]:
        """See :meth:`EventStore.read <luthier.store.base.EventStore.read>`."""
        with self._one_at_a_time:
            self._settle()
        torn: list[segments.Torn] = []
        expected: int | None = None
        for segment in segments.starting_at(segments.listed(self._events), after):
            due = min(segment.first, after) if expected is None else expected
            if segment.first != due:
                raise CorruptLog(self._gap(segment, due, torn))
            expected = segment.first
            for record in segments.records(segment, torn, unpickle=self._unpickle):
                expected = record.end
                if record.first >= after:
                    yield record
                elif expected > after:
                    yield record.since(after)
        self._torn = torn

    def close(self) -> None:
        """Get everything onto the disk and let others write; closing twice does no harm."""
        if self._closed:
            return
        with self._one_at_a_time:
            self._closed = "is closed"
            self._settle()
            try:
                self._end_segment()
            finally:
                if self._lock is not None:
                    self._lock.release()
                _open_stores.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _gap(self, segment: segments.Segment, due: int, torn: list[segments.Torn]) -> str:
        if torn and segment.first > due and torn[-1].path != segment.path:
            return segments.loss(torn[-1], segment, due)
        return segments.gap(segment.path, 1, due, segment.first)

    def _open_end(self) -> int:
        """Return how many events the log holds; note what it lacks."""
        found = segments.listed(self._events)
        end, head = self._find_end(found), read_head(self.directory)
        losses = [str(torn) for torn in self._torn]
        if head is not None and end < head.end:
            path = self._events / segments.name(head.segment)
            if all(segment.first != head.segment for segment in found):
                raise CorruptLog(
                    f"{path} is missing: the log held {head.end} events, and without it there are {end}. Put it back "
                    f"from a copy; or, to go on from event {end}, delete {self.directory / FILE_NAME}."
                )
            losses.append(
                f"{path}: the log held {head.end} events and now holds {end}: the last {head.end - end} are lost. The "
                "experiment goes on from there"
            )
            write_head(self.directory, Head(found[-1].first if end > found[-1].first else 0, end))
        self.losses = tuple(losses)
        return end

    def _find_end(self, found: list[segments.Segment]) -> int:
        spent: list[segments.Segment] = []
        end = 0
        for segment in reversed(found):
            end = segments.end(segment, self._torn)
            if end > segment.first:
                break
            spent.append(segment)
        else:
            end = 0
        if spent and spent[-1].first != end:
            raise CorruptLog(self._gap(spent[-1], end, [t for t in self._torn if t.path != spent[-1].path]))
        for segment in spent:
            if segment.path.stat().st_size:  # nothing but a torn line: out of the way of the segment to come
                segment.path.replace(segment.path.with_suffix(".torn"))
            else:
                segment.path.unlink()
        return end

    def _begin_segment(self) -> None:
        self._end_segment()
        path = self._events / segments.name(self._tip[0])
        try:
            self._fd = os.open(path, _FLAGS, 0o644)
        except OSError as error:
            raise self._failed(error, path) from error
        self._path, self._tip = path, (self._tip[0], 0)
        if self._policy != "never":
            sync_directory(self._events)
        water = self._water = HighWater(self.directory, self._tip[0])
        if self._policy == "interval":
            has_links = os.fstat(self._fd).st_nlink > 0  # some file systems do not count them
            force = fsync_named if has_links else os.fsync

            def sync_and_tell(fd: int) -> None:  # holds no reference to the store, as the thread must not
                end = water.end
                force(fd)
                water.tell(end)

            self._syncer = Syncer(self._fd, sync_and_tell)

    def _end_segment(self) -> None:
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        syncer, self._syncer = self._syncer, None
        try:
            if syncer is not None:
                syncer.close()
                self._heed(syncer)
            self._water.tell(self._water.end)
        finally:
            os.close(fd)

    def _finish(self, line: bytearray, written: int) -> None:
        while written < len(line):  # the last bytes of a disk, or a signal
            written += os.write(self._fd, line[written:])
        if self._always:
            os.fsync(self._fd)

    def _settle(self) -> None:
        """Cut off what was written of a batch that failed, or that Ctrl-C broke into: it was never acknowledged.

        Nothing torn may precede later batches, and no batch may be there twice.
        """
        if not self._writing:
            return
        try:
            os.ftruncate(self._fd, self._tip[1])
        except OSError as error:
            self._broken = (
                f"the log {self._path} ends in half a batch that cannot be removed ({error.strerror}): "
                "nothing more is written. Open the experiment again once the disk works."
            )
        self._writing = False

    def _heed(self, syncer: Syncer) -> None:
        """Stop where an fsync failed: nobody knows what is on the disk, and to go on would be to pretend."""
        if syncer.failures:
            self._broken = str(self._failed(syncer.failures[0], self._path))
            raise StoreFailed(self._broken) from syncer.failures[0]

    def _failed(self, error: OSError, path: Path) -> StoreFailed:
        import shutil

        try:
            free = f"{shutil.disk_usage(self._events).free / 1e6:.1f} MB free"
        except OSError:
            free = "free space unknown"
        if error.errno in _NO_ROOM:
            return StoreFull(
                f"{path} cannot grow: {error.strerror} ({free}). What was recorded is safe. Make room (or raise the "
                "quota or the limit on file sizes), then resume the experiment."
            )
        if error.errno == errno.ENOENT:
            return StoreFailed(
                f"{path} is gone: somebody has deleted or moved it while the experiment ran, and what was recorded "
                "there with it."
            )
        return StoreFailed(
            f"{path} cannot be written: {error.strerror} ({free}). What was recorded is safe as far as the disk is. "
            "Check the disk and the permissions, then resume the experiment."
        )

    def _leave_to_parent(self) -> None:
        """Forget lock and file in a forked child: the parent goes on writing, the child never does."""
        self._closed = f"belongs to process {os.getppid()}, which this one was forked from"
        self._one_at_a_time = threading.Lock()
        self._syncer = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._lock is not None:
            self._lock.forget()


def _after_fork() -> None:
    for store in list(_open_stores):
        store._leave_to_parent()  # noqa: SLF001 (its own class)
    _open_stores.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
