"""Trials on the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import tempfile
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.checkpoints.local import forget
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError, NotStorable
from luthier.core.events import Exited, Forgotten, Halted, Launched, Reported, WorkerJoined, WorkerLost
from luthier.core.terms import Outcome, Verdict, WorkerId
from luthier.execution.dask.cluster import Cluster
from luthier.execution.dask.outpost import LEASE_S, Terms
from luthier.execution.dask.post import Opened, Post
from luthier.execution.luggage import pack_checkpoint, unpack_what_came_with
from luthier.execution.surroundings import Surroundings
from luthier.execution.transcript import Transcript
from luthier.worker.frames import HEAD, VERDICT_BYTES, Unloadable, decode, encode_assignment
from luthier.worker.parcel import carried, write_parcel
from luthier.worker.picklable import pickled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.events import Observed, Order
    from luthier.core.terms import TrialId
    from luthier.execution.base import Handler
    from luthier.worker.assignment import Assignment

_LOOK = 1.0  # seconds between two looks at which workers there are
_CARE = 0.25  # seconds between two looks at what trials print
_OPEN = 60.0  # seconds for the workers that there are at the beginning to join
_GIVE_UP = 5.0  # seconds for a worker to say whether an attempt could be given up
_FAILURES = 3  # times that a worker may fail to open
_REST = 10.0  # seconds for workers to close, beyond the grace


class DaskExecutor:
    """Runs trials on the workers of a Dask cluster, each in a process of its own.

    On each worker there is one actor, and in it the executor of local processes: how trials start, what they print and
    how they end is the same as there.  Dask tells which workers there are, and carries orders and reports.  It knows
    nothing of single trials.

    Args:
        trainable: what a trial runs; must be picklable by cloudpickle.
        experiment_dir: the experiment's directory.  From workers that do not see it, files are fetched: checkpoints
            with their report, and all else when the attempt is over.
        options: arguments of ``distributed.Client``, or of ``LocalCluster`` where no cluster is named.
        reuse: whether a process takes a further trial when its last one has not failed.
        start: as for :class:`~luthier.execution.process.ProcessExecutor`, as are all that follow but *echo*.
        echo: whether what trials print is printed here too, after their names.
        grace: seconds that a trial has to let go.
        patience: the same for a trial that is to go on later.
        transcript_limit: bytes that a trial's ``stdout`` and ``stderr`` may have each.
        env: added to the environment of trials.
        start_timeout: seconds that loading the trainable may take on a worker.
        lease: seconds after which a worker that hears nothing of this process ends its trials.

    Raises:
        BadArgument: an argument is unusable; for a trainable that cannot be pickled, the text names the culprit.
        LuthierError: Dask is not installed, or cannot be connected to.
    """

    def __init__(  # noqa: PLR0913 (one choice each, by keyword)
        self,
        trainable: Any,
        *,
        experiment_dir: str | Path,
        options: Mapping[str, Any] | None = None,
        reuse: bool = False,
        start: str = "auto",
        echo: bool = False,
        grace: float = 10.0,
        patience: float = 600.0,
        transcript_limit: int | None = 100 << 20,
        env: Mapping[str, str] | None = None,
        start_timeout: float | None = 600.0,
        lease: float = LEASE_S,
    ) -> None:
        if not callable(trainable):
            raise BadArgumentType("trainable", trainable, "a function or a class that a trial can run")
        if not grace >= 0:
            raise BadArgument("grace", grace, "seconds >= 0")
        self._load = _loaded(trainable)
        self._experiment_dir = os.path.abspath(experiment_dir)
        self._marker = os.path.join(self._experiment_dir, f".seen_{os.urandom(8).hex()}")
        given = {
            "reuse": reuse, "start": start, "grace": grace, "patience": patience,
            "transcript_limit": transcript_limit, "start_timeout": start_timeout,
        }  # fmt: skip
        self._terms = Terms({}, dict(env or {}), Surroundings.here().to_travel(), given, self._marker, lease)
        self._echo = echo
        self._posts: dict[str, Post] = {}
        self._attempts: dict[TrialId, tuple[Assignment, Post]] = {}
        self._transcripts: dict[TrialId, Transcript] = {}
        self._heard: queue.SimpleQueue[tuple[Post, Any] | None] = queue.SimpleQueue()
        self._events: list[Observed] = []
        self._due, self._care = -math.inf, math.inf  # when to look at workers, and at transcripts
        self._failures: dict[str, int] = {}  # by address: how often it did not even open
        self._woken = self._closed = False
        self._fatal: LuthierError | None = None
        self._cluster = Cluster(options)

    def join(self, handler: Handler) -> Sequence[WorkerJoined]:
        """Return the workers that there are."""
        os.makedirs(self._experiment_dir, exist_ok=True)
        Path(self._marker).touch()
        until = monotonic() + _OPEN
        self._look_at_workers()
        while monotonic() < until and self._fatal is None and not all(post.opened for post in self._posts.values()):
            self._look(until)
        events, self._events = self._events, []
        return [event for event in events if isinstance(event, WorkerJoined)]

    # -- orders --------------------------------------------------------------------------------------------------------
    def carry_out(self, order: Order, assignment: Assignment | None = None) -> None:
        """Start an attempt, tell one to let go, or remove a checkpoint; does not wait."""
        match order:
            case Launched():
                if assignment is None:
                    raise LuthierError(f"{order!r} came without its assignment")
                self._launch(order.worker, assignment)
            case Halted(trial, attempt, then):
                post = self._running(trial, attempt)
                if post is not None:
                    post.tell("halt", trial, attempt, then.value)
            case Forgotten(_, checkpoint):
                forget(checkpoint, self._experiment_dir)

    def answer(self, trial: TrialId, attempt: int, verdict: Verdict) -> None:
        """Give the verdict to the attempt that waits for it."""
        post = self._running(trial, attempt)
        if post is not None:
            post.tell("answer", trial, attempt, VERDICT_BYTES[verdict])

    def _launch(self, worker: WorkerId, assignment: Assignment) -> None:
        post = self._posts.get(worker)
        if post is None or post.lost:
            return  # that it is lost has been told, or will be
        try:
            assignment = _placed(assignment)
            payload, luggage = bytes(encode_assignment(assignment)[HEAD:]), b""
            if post.apart and assignment.restore is not None:
                luggage = pack_checkpoint(assignment.restore, self._experiment_dir)
        except (NotStorable, OSError) as error:
            self._events.append(Exited(assignment.trial, assignment.attempt, Outcome.ERROR, str(error)))
            return
        if self._echo:
            self._transcripts[assignment.trial] = Transcript(assignment.trial_dir, assignment.name, None, echo=True)
            self._care = min(self._care, monotonic() + _CARE)
        self._attempts[assignment.trial] = (assignment, post)
        post.tell("launch", payload, luggage)

    def give_up(self, trial: TrialId, attempt: int, reason: str) -> bool:
        """See :meth:`Executor.give_up <luthier.execution.base.Executor.give_up>`; the error shows where it hung."""
        post = self._running(trial, attempt)
        if post is None:
            return True
        try:
            return self._cluster.ask(post.give_up(trial, attempt, reason), _GIVE_UP)
        except Exception:  # noqa: BLE001 (the worker is gone, or does not answer)
            return False

    def _running(self, trial: TrialId, attempt: int) -> Post | None:
        assignment, post = self._attempts.get(trial, (None, None))
        return post if assignment is not None and assignment.attempt == attempt else None

    # -- what comes back -----------------------------------------------------------------------------------------------
    def poll(self, timeout: float | None) -> Sequence[Observed]:
        """Wait up to *timeout* seconds and return what trials reported, which of them ended, and which workers came.

        Raises:
            LuthierError: no trial can be started at all; the text says why.
        """
        until = math.inf if timeout is None else monotonic() + timeout
        while not self._closed:
            if self._fatal is None:
                self._look(until)
            if self._fatal is not None:
                raise self._fatal
            if self._events or self._woken or monotonic() >= until:
                self._woken = False
                events, self._events = self._events, []
                return events
        return ()

    def wake(self) -> None:
        """Make a waiting :meth:`poll` return; may be called from any thread or signal handler."""
        self._heard.put(None)

    def _look(self, until: float) -> None:
        """Wait for what comes first and take it."""
        if monotonic() >= self._due:
            self._look_at_workers()
        nearest = 0.0 if self._events else min(until, self._care, self._due)
        with contextlib.suppress(queue.Empty):
            self._take(self._heard.get(timeout=max(0.0, nearest - monotonic())))
            while True:
                self._take(self._heard.get_nowait())
        if monotonic() >= self._care:
            self._attend()

    def _look_at_workers(self) -> None:
        """Open outposts on workers that came; tell which workers are gone, with what was on them."""
        self._due = monotonic() + _LOOK
        try:
            nodes = self._cluster.nodes()
        except LuthierError as error:
            self._fatal = error
            return
        for address, post in list(self._posts.items()):
            if post.lost or nodes.get(address) != post.resources:
                del self._posts[address]
                self._lose(post)
        for address, resources in nodes.items():
            if address not in self._posts:
                terms = msgspec.structs.replace(self._terms, resources=resources)
                self._posts[address] = Post(self._cluster, address, terms, self._load, self._hear)

    def _hear(self, post: Post, said: Any) -> None:
        self._heard.put((post, said))

    def _lose(self, post: Post) -> None:
        """Forget what was on a worker that is gone."""
        post.leave()
        if post.opened:
            post.opened = False
            self._events.append(WorkerLost(WorkerId(post.address)))
        for trial, (_, where) in list(self._attempts.items()):
            if where is post:
                del self._attempts[trial]
                self._transcripts.pop(trial, None)

    def _take(self, heard: tuple[Post, Any] | None) -> None:
        if heard is None:
            self._woken = True
            return
        post, said = heard
        if post.lost:
            return
        if isinstance(said, Opened):
            post.opened, post.apart = True, said.apart
            self._failures.pop(post.address, None)
            self._events.append(WorkerJoined(WorkerId(post.address), dict(post.resources)))
        elif isinstance(said, str):
            self._fatal = LuthierError(said)
        elif isinstance(said, BaseException):
            self._failed(post, said)
        else:
            self._heed(post, *said)

    def _failed(self, post: Post, error: BaseException) -> None:
        """Let a worker join again where it is still there, unless it can never join."""
        if not post.opened:
            count = self._failures[post.address] = self._failures.get(post.address, 0) + 1
            if count >= _FAILURES:
                self._fatal = LuthierError(
                    f"nothing can be started on the Dask worker {post.address}; Luthier must be installed there, and "
                    f"where the scheduler runs, in the same version. There: {type(error).__name__}: {error}"
                )
        self._lose(post)

    def _heed(self, post: Post, payload: bytes, luggage: bytes) -> None:
        event = decode(payload)
        if isinstance(event, Unloadable) or self._running(event.trial, event.attempt) is not post:
            return
        assignment = self._attempts[event.trial][0]
        if luggage:
            try:
                unpack_what_came_with(event, luggage, assignment)
            except OSError as error:  # no room, say
                why = f"what the trial has saved could not be fetched: {error}"
                if isinstance(event, Reported):
                    post.tell("halt", event.trial, event.attempt, "stop")
                    post.tell("answer", event.trial, event.attempt, VERDICT_BYTES[Verdict.HALT])
                event = Exited(event.trial, event.attempt, Outcome.ERROR, why)
        if isinstance(event, Exited):
            del self._attempts[event.trial]
            transcript = self._transcripts.pop(event.trial, None)
            if transcript is not None:
                transcript.attend(last=True)
        self._events.append(event)

    def _attend(self) -> None:
        """Look at what the running trials have printed."""
        self._care = monotonic() + _CARE if self._transcripts else math.inf
        for transcript in self._transcripts.values():
            transcript.attend()

    # -- the end -------------------------------------------------------------------------------------------------------
    def close(self, grace: float) -> None:
        """End what still runs: halt it at its next report, ask it after *grace* seconds, then kill it.

        With a grace of 0 all is killed at once.  A cluster that was made here ends.
        """
        if self._closed:
            return
        self._closed = True
        try:
            until = monotonic() + grace + _REST
            for answer in [self._cluster.start(post.close(grace)) for post in self._posts.values()]:
                with contextlib.suppress(Exception):  # it does not answer, and finds that we are gone
                    answer.result(max(0.0, until - monotonic()))
        finally:
            self._cluster.close()
            with contextlib.suppress(OSError):
                os.unlink(self._marker)


def _placed(assignment: Assignment) -> Assignment:
    """Return *assignment* with directories that do not hang on where a process works."""
    there = os.path.abspath(assignment.experiment_dir), os.path.abspath(assignment.trial_dir)
    return msgspec.structs.replace(assignment, experiment_dir=there[0], trial_dir=there[1])


def _loaded(trainable: Any) -> tuple[bytes, dict[str, bytes]]:
    """Return the trainable as a pickle, and the files of what is large in it.

    Raises:
        BadArgument: it cannot be pickled.
    """
    parcels: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="luthier_parcels_") as folder:

        def store(objects: dict[str, Any]) -> str:
            path = Path(folder, f"parcel_{len(parcels)}")
            write_parcel(path, objects)
            parcels[path.name] = path.read_bytes()
            return path.name

        with carried(store):
            return pickled(trainable), parcels
