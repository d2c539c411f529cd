"""Keeps a copy of an experiment's directory elsewhere: uploads in one thread, in an order that can be trusted.

Whoever runs the experiment gives the mirror one :class:`Round` after another: how far the log had come at a moment
between two batches, and what belongs with it.  In each round checkpoints go first, then the log up to that moment, and
only then are forgotten checkpoints deleted.  So the log elsewhere never tells of a checkpoint that is not wholly there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from luthier.core.errors import TakenOver
from luthier.store.backoff import Backoff
from luthier.store.card import FILE_NAME as CARD
from luthier.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from luthier.store.remote import Remote

log = logging.getLogger("luthier")

STATES = "callback-states.pkl"
PARTS = (STATES, "tuner.pkl", CARD)  # the card last: where it is, there is an experiment
_BATCH = 32  # small files that go up together
_SMALL = 4 << 20
_WORTH_TELLING = 3  # failures in a row
_TELL_AGAIN_S = 300.0
_HOPELESS = 4  # refusals in a row after which the end does not wait for more


class Upload(msgspec.Struct, frozen=True):
    """Files that count only once all of them are up.

    Attributes:
        name: what they are together.
        files: each file's local path and its name at the remote.
        marker: name and content of the file that says that they are complete.
        release: called when they are up, or given up.
    """

    name: str
    files: tuple[tuple[str, str], ...]
    marker: tuple[str, bytes]
    release: Callable[[], None]


class Round(msgspec.Struct, frozen=True):
    """What is to be up after one round.

    Attributes:
        segments: the log at one moment: the name of each segment, and how many of its bytes count.
        wanted: checkpoints that this log tells of and that may not be up yet.
        gone: checkpoints that this log no longer needs: the name of each, and of the files beside it, marker first.
        files: names of other files; those that have not changed since they were uploaded are passed over.
        last: whether to look if the segments are there as they were uploaded: a driver of before that was away may have
            written over one.
    """

    segments: tuple[tuple[str, int], ...] = ()
    wanted: tuple[Upload, ...] = ()
    gone: tuple[tuple[str, tuple[str, ...]], ...] = ()
    files: tuple[str, ...] = ()
    last: bool = False


class Mirror:
    """Uploads what it is given, and tries again for as long as it must.

    Args:
        directory: the experiment's directory.
        remote: the experiment's folder elsewhere.
        backoff: how long it waits between two tries.
        journal: what is up already.
        turn: each upload and deletion is done within one; it raises TakenOver where there are to be no more.

    >>> import tempfile; from pathlib import Path; from luthier.store.remote import Remote
    >>> remote = Remote.at("memory://mirrored")
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     size = Path(directory, "a.txt").write_text("hello")
    ...     mirror = Mirror(directory, remote)
    ...     mirror.give(Round(files=("a.txt",))); mirror.close(timeout=10.0)
    True
    >>> remote.read("a.txt")
    b'hello'
    """

    def __init__(
        self,
        directory: str,
        remote: Remote,
        *,
        backoff: Backoff | None = None,
        journal: Journal | None = None,
        turn: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self.directory, self.remote, self._turn = directory, remote, turn
        self.journal = Journal(directory) if journal is None else journal
        self.trouble = ""  # what stands in the way at the moment
        self._backoff = Backoff() if backoff is None else backoff
        self._round: Round | None = None
        self._left = 0  # files of this round that are not up yet
        self._given, self._idle = threading.Event(), threading.Event()
        self._idle.set()
        self._ending, self._ended = threading.Event(), threading.Event()
        self._refusals = 0
        self._told: float | None = None
        self._thread: threading.Thread | None = None

    # -- for the one who runs the experiment ---------------------------------------------------------------------------
    @property
    def idle(self) -> bool:
        """Whether it is done with what it was given."""
        return self._idle.is_set()

    def give(self, work: Round) -> None:
        """Begin a round; returns at once.  The last one must be over (see :attr:`idle`)."""
        self._round = work
        self._idle.clear()
        self._given.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="luthier-mirror", daemon=True)
            self._thread.start()

    def hurry(self) -> None:
        """Nobody computes any more: wait only shortly between two tries from now on."""
        self._backoff = msgspec.structs.replace(self._backoff, longest=min(2.0, self._backoff.longest))
        self._refusals = 0
        self._ending.set()

    def wait(self, timeout: float, say: Callable[[str], None] = lambda _: None, every: float = 5.0) -> bool:
        """Wait until it is idle, for at most *timeout* seconds, and return whether it is.

        Gives up earlier where the remote refuses again and again: that will not pass by waiting.

        Args:
            timeout: seconds.
            say: gets a line every now and then.
            every: seconds between two of them.
        """
        end, next_line = time.monotonic() + timeout, time.monotonic() + min(1.0, every)
        while not self._idle.wait(min(0.1, max(0.0, end - time.monotonic()))):
            now = time.monotonic()
            if self._thread is not None and not self._thread.is_alive():
                return self.idle
            if now >= end or (self._ending.is_set() and self._refusals >= _HOPELESS):
                return False
            if now >= next_line:
                next_line = now + every
                failing = f"; the last try failed ({self.trouble})" if self.trouble else ""
                say(f"uploading to {self.remote.url}: {self._left} files to go{failing}")
        return True

    def close(self, timeout: float = 0.0) -> bool:
        """Wait for what is under way, end the thread, and return whether all is up that was given."""
        self.hurry()
        done = self.wait(timeout)
        self._ended.set()
        self._given.set()
        if done and self._thread is not None:
            self._thread.join()
        return done

    # -- in the thread -------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            self._given.wait()
            self._given.clear()
            if self._ended.is_set():
                return
            if self._round is None:
                continue
            try:
                self._do(self._round)
            except _GivenUp:
                return
            except TakenOver as error:
                self.trouble = str(error)
                return
            except Exception as error:
                log.exception("uploading to %s has ended for a reason of its own", self.remote.url)
                self.trouble, self._refusals = str(error), _HOPELESS
                return
            self._round = None
            self._idle.set()

    def _do(self, work: Round) -> None:
        files = [name for name in work.files if self._changed(name)]
        wanted = [upload for upload in work.wanted if f"{upload.name}/" not in self.journal]
        self._left = len(files) + sum(len(upload.files) for upload in wanted) + len(work.segments)
        try:
            for upload in wanted:
                self._upload(upload)
        finally:
            for upload in work.wanted:
                upload.release()
        there = self._there() if work.last and work.segments else {}
        for name, size in work.segments:
            if not self.journal.has(name, size) or there.get(name, size) != size:
                self._persist(partial(self._grow, name, size))
                self.journal.note([(name, size, 0)])
            self._left -= 1
        for name, beside in work.gone:
            if f"{name}/" in self.journal:
                self._delete(name, beside)
        for batch in self._batches([(os.path.join(self.directory, *name.split("/")), name) for name in files]):
            self._files(batch)

    def _there(self) -> dict[str, int]:
        """Return names and sizes of the segments at the remote."""
        found: dict[str, int] = {}
        self._persist(lambda: found.update(self.remote.sizes("events")))
        return found

    def _upload(self, upload: Upload) -> None:
        for batch in self._batches(upload.files):
            self._put(batch)
        self._persist(partial(self.remote.write, *upload.marker))
        self.journal.note([(f"{upload.name}/", 0, 0)])

    def _delete(self, name: str, beside: tuple[str, ...]) -> None:
        def delete() -> None:
            try:
                self.remote.delete(beside)  # the marker first: what is half deleted is not there
                self.remote.delete_folder(name)
            except PermissionError as error:
                log.warning("%s/%s cannot be deleted (%s): it stays", self.remote.url, name, error)

        self._persist(delete)
        self.journal.strike([f"{name}/"])

    def _put(self, batch: Sequence[tuple[str, str]]) -> None:
        if len(batch) > 1:
            try:
                with self._turn():
                    self.remote.put(batch)
            except TakenOver:
                raise
            except Exception as error:  # noqa: BLE001 (each file system raises errors of its own)
                self._failed(error, 1)
            else:
                self._left -= len(batch)
                return
        for each in batch:  # where one in ten fails, many together never work
            self._persist(partial(self._put_one, *each))
            self._left -= 1

    def _put_one(self, local: str, name: str) -> None:
        if os.path.isfile(local):  # a user's file may be gone by now
            self.remote.put([(local, name)])

    def _files(self, batch: Sequence[tuple[str, str]]) -> None:
        there = [(local, name) for local, name in batch if os.path.isfile(local)]
        stamps = [(name, *_stamp(local)) for local, name in there]  # before: what grows meanwhile goes up again
        self._put(there)
        self.journal.note(stamps)

    def _batches(self, files: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
        batch: list[tuple[str, str]] = []
        for local, name in files:
            if _size(local) > _SMALL:
                yield [(local, name)]
                continue
            batch.append((local, name))
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _changed(self, name: str) -> bool:
        try:
            return not self.journal.has(name, *_stamp(os.path.join(self.directory, *name.split("/"))))
        except OSError:
            return False

    def _grow(self, name: str, size: int) -> None:
        with open(os.path.join(self.directory, *name.split("/")), "rb") as file:
            self.remote.write(name, file.read(size))

    def _persist(self, act: Callable[[], None]) -> None:
        """Do *act*, again and again until it works or nobody waits for it any more."""
        failures = 0
        while True:
            if self._ended.is_set():
                raise _GivenUp
            try:
                with self._turn():
                    act()
            except TakenOver:
                raise
            except Exception as error:  # noqa: BLE001 (each file system raises errors of its own)
                failures += 1
                self._failed(error, failures)
            else:
                if self.trouble:
                    self._mended()
                return
            delay = self._backoff.delay(failures, random.random())  # noqa: S311 (no secret)
            if self._ending.is_set():
                self._ended.wait(delay)
            else:
                self._ending.wait(delay)

    def _failed(self, error: Exception, failures: int) -> None:
        self.trouble = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        self._refusals = self._refusals + 1 if isinstance(error, PermissionError | FileNotFoundError) else 0
        now = time.monotonic()
        if failures >= _WORTH_TELLING and (self._told is None or now - self._told >= _TELL_AGAIN_S):
            self._told = now
            log.warning(
                "uploads to %s fail (%s). The experiment goes on; what is not up yet is in %s, and is tried again.",
                self.remote.url, self.trouble, self.directory,
            )  # fmt: skip

    def _mended(self) -> None:
        self.trouble, self._refusals = "", 0
        if self._told is not None:
            self._told = None
            log.warning("uploads to %s work again", self.remote.url)


def publish(directory: str, remote: Remote, journal: Journal | None = None, tries: int = 3) -> None:
    """Upload what makes the experiment one, now; it fails where nothing can be written there.

    Raises:
        Exception: what the file system says.
    """
    journal = Journal(directory) if journal is None else journal
    for name in PARTS:
        path = os.path.join(directory, name)
        if name == STATES and not os.path.exists(path):
            continue
        with open(path, "rb") as file:
            text = file.read()
        for left in reversed(range(tries)):
            try:
                remote.write(name, text)
                break
            except (PermissionError, FileNotFoundError):
                raise
            except Exception:
                if not left:
                    raise
                time.sleep(0.2)
        journal.note([(name, *_stamp(path))])


class _GivenUp(Exception):
    """Nobody waits any more."""


def _stamp(path: str) -> tuple[int, int]:
    about = os.stat(path)
    return about.st_size, about.st_mtime_ns


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
