"""The listener that tells the mirror what to upload."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import time
from typing import TYPE_CHECKING

from luthier.checkpoints.local import progress_file
from luthier.checkpoints.remote import marker_of, pin
from luthier.core import events as ev
from luthier.core.terms import Ref
from luthier.store.mirror import PARTS, Round, Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from luthier.core.state import ExperimentState
    from luthier.core.terms import TrialId
    from luthier.store.mirror import Mirror

log = logging.getLogger("luthier")

PINS = ".uploading"
EVENTS = "events"
# What a trial that still runs has uploaded now and then; all else in its directory goes up when it has ended.
FILES = ("params.json", "params.pkl", "result.json", "progress.csv", "error.txt", "error.pkl", "stdout", "stderr")
FILES_EVERY_S = 30.0


class Uploads:
    """Listener that gives a :class:`~luthier.store.mirror.Mirror` its rounds, at most one every few seconds.

    Nothing in it waits for the remote.  A round is made between two batches of events, in the thread that also deletes
    checkpoints: what it tells of is there, and is held until it is up.

    Args:
        mirror: uploads.
        experiment: as it is when the run begins.
        period_s: seconds between two rounds.
    """

    def __init__(self, mirror: Mirror, experiment: ExperimentState, period_s: float = 2.0) -> None:
        self._mirror, self._dir, self._period = mirror, mirror.directory, period_s
        self._experiment = experiment
        self._wanted: dict[Ref, None] = dict.fromkeys(_living(experiment))
        self._gone: dict[Ref, None] = dict.fromkeys(ref for ref in _up(mirror) if ref not in self._wanted)
        self._changed: set[TrialId] = set()
        self._ended: set[TrialId] = set()
        self._dirty = True
        self._next, self._files_next = 0.0, 0.0
        self._numbers = itertools.count()
        shutil.rmtree(os.path.join(self._dir, PINS), ignore_errors=True)  # a dead driver's

    # -- as a listener -------------------------------------------------------------------------------------------------
    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Take note of checkpoints that came and went, and of trials whose files have changed."""
        self._dirty, self._experiment = True, experiment
        for event in events:
            match event:
                case ev.Reported(trial) | ev.Exited(trial):
                    self._changed.add(trial)
                    if event.checkpoint is not None:
                        self._wanted[event.checkpoint] = None
                case ev.Launched(trial):
                    self._changed.add(trial)
                case ev.Ended(trial):
                    self._ended.add(trial)
                case ev.Forgotten(_, ref):
                    self._wanted.pop(ref, None)
                    self._gone[ref] = None
                case _:
                    pass

    def on_tick(self, now: float) -> None:
        """Give the mirror its next round, where it is due and the last one is over."""
        if self._dirty and now >= self._next and self._mirror.idle:
            self._next = now + self._period
            self._dirty = False
            if now >= self._files_next:
                self._files_next = now + FILES_EVERY_S
                names = [f"{folder}/{name}" for folder in self._folders(self._changed - self._ended) for name in FILES]
                self._changed.clear()
            else:
                names = []
                self._dirty = bool(self._changed)
            self._mirror.give(self._round(names))

    def close(self) -> None:
        """Do nothing: see :meth:`finish`."""

    def finish(self, timeout: float, say: Callable[[str], None]) -> bool:
        """Upload all that is not up yet; return whether that worked within *timeout* seconds.

        Args:
            timeout: seconds to wait at most.
            say: gets a line of progress every few seconds.
        """
        mirror = self._mirror
        mirror.hurry()
        end = time.monotonic() + timeout
        try:
            if mirror.wait(timeout, say):
                everything = [f"{folder}/{name}" for folder in self._folders(self._experiment.trials) for name in FILES]
                mirror.give(self._round(everything, last=True))
                mirror.wait(max(0.0, end - time.monotonic()), say)
        finally:
            done = mirror.close()
        return done

    # -- inside --------------------------------------------------------------------------------------------------------
    def _round(self, names: Iterable[str], *, last: bool = False) -> Round:
        segments = tuple(_segments(self._dir))
        wanted = tuple(self._pinned())
        self._wanted.clear()
        gone = tuple((ref, (marker_of(ref), progress_file(ref))) for ref in self._gone)
        self._gone.clear()
        ended = [name for folder in self._folders(self._ended) for name in _files_below(self._dir, folder)]
        self._ended.clear()
        return Round(segments, wanted, gone, (*PARTS, *ended, *names), last)

    def _pinned(self) -> Iterator[Upload]:
        for ref in self._wanted:
            if f"{ref}/" in self._mirror.journal or os.path.isabs(ref):
                continue
            folder = os.path.join(self._dir, PINS, str(next(self._numbers)))
            try:
                pinned = pin(ref, self._dir, folder)
            except OSError as error:
                log.warning("the checkpoint %s cannot be uploaded: %s", os.path.join(self._dir, ref), error)
                continue
            yield Upload(ref, pinned.files, pinned.marker, pinned.release)

    def _folders(self, trials: Iterable[TrialId]) -> list[str]:
        known = self._experiment.trials
        return [known[trial].label.folder for trial in trials if trial in known and known[trial].label.folder]


def _living(experiment: ExperimentState) -> Iterator[Ref]:
    """Yield the checkpoints that *experiment* may still need."""
    for trial in experiment.trials.values():
        for kept in trial.kept:
            yield kept.ref
        if trial.checkpoint is not None:
            yield trial.checkpoint


def _up(mirror: Mirror) -> Iterator[Ref]:
    """Yield the checkpoints that are up."""
    return (Ref(name.rstrip("/")) for name in mirror.journal.names() if name.endswith("/"))


def _segments(directory: str) -> Iterator[tuple[str, int]]:
    """Yield name and size of each segment of the log, oldest first."""
    with os.scandir(os.path.join(directory, EVENTS)) as entries:
        found = sorted((e.name, e.stat().st_size) for e in entries if e.name.endswith(".jsonl"))
    return ((f"{EVENTS}/{name}", size) for name, size in found if size)


def _files_below(directory: str, folder: str) -> Iterator[str]:
    """Yield the names of the files in a trial's *folder*: not those in checkpoints, nor hidden ones."""
    top = os.path.join(directory, folder)
    for root, folders, names in os.walk(top):
        folders[:] = [f for f in folders if not f.startswith((".", "checkpoint_"))]
        below = os.path.relpath(root, directory).replace(os.sep, "/")
        yield from (f"{below}/{name}" for name in names if not name.startswith("."))
