"""The session: what a running trial reports through, and what it may ask."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.checkpoints.base import Checkpoint
from luthier.checkpoints.local import fresh, keep, path_of, sweep, take
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError
from luthier.core.events import Reported
from luthier.core.terms import Verdict
from luthier.worker.halting import Halted
from luthier.worker.line import line, rank
from luthier.worker.metrics import is_scalar, plain
from luthier.worker.notices import deprecated, warn_once
from luthier.worker.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from luthier.core.terms import Outcome, Ref
    from luthier.worker.assignment import Assignment
    from luthier.worker.channel import Channel

ANONYMOUS = "_metric"  # the name of a metric that is given as a bare number


class Session:
    """One running attempt.

    Reports may come from any thread of the process; they are taken one at a time.

    Args:
        assignment: what is run.
        channel: where reports go.

    Attributes:
        ordered: whether the attempt was told to end.
        passive: whether ``report`` is not the way to report here (a class trainable returns its results).
        closing: called with the outcome when the attempt has ended.
    """

    def __init__(self, assignment: Assignment, channel: Channel) -> None:
        self.assignment, self._channel = assignment, channel
        self.ordered = self.passive = False
        self.closing: list[Callable[[Outcome], None]] = []
        self._lock = threading.RLock()
        self._seq, self._index, self._swept = 0, assignment.next_checkpoint, False
        self._pending: str | None = None  # a directory that becomes the next report's checkpoint
        restore = assignment.restore
        self.checkpoint = None if restore is None else Checkpoint(path_of(restore, assignment.experiment_dir))
        self.progress = Progress(
            assignment.iteration, assignment.time_total_s, assignment.timesteps_total, assignment.episodes_total
        )
        if self.checkpoint is not None:
            self.progress.read(self.checkpoint.path)
        self._began = time.perf_counter()

    def check(self) -> None:
        """See that the checkpoint to go on from is there, and clear away what the attempt before this one left.

        Raises:
            BadArgument: it is not.
        """
        if self.checkpoint is not None and not os.path.isdir(self.checkpoint.path):
            raise BadArgument("restore", self.checkpoint.path, "a checkpoint that exists", "the directory is gone")
        if self.assignment.attempt > 1:
            self._sweep()

    def report(self, metrics: Mapping[Any, Any], checkpoint: Checkpoint | None = None) -> None:
        """Report from a function.

        Raises:
            Halted: the trial is to end.
        """
        with self._lock:
            if self.ordered:
                raise Halted
            result = plain(metrics)
            self.progress.fill(result, time.perf_counter() - self._began)
            ref = self.keep(checkpoint) if checkpoint is not None else self.take_pending()
            if self.deliver(result, ref) is not Verdict.CONTINUE:
                raise Halted
            self._began = time.perf_counter()

    def deliver(self, result: dict[str, Any], ref: Ref | None = None) -> Verdict:
        """Send a complete *result*; return the verdict, which is remembered."""
        with self._lock:
            if ref is not None:
                result["should_checkpoint"] = True
                result["checkpoint_dir_name"] = ref.rpartition("/")[2]
            given = self.assignment
            verdict = self._channel.tell(Reported(given.trial, given.attempt, self._seq, result, ref))
            self._seq += 1
            self.ordered = verdict is not Verdict.CONTINUE
            return verdict

    # -- checkpoints ---------------------------------------------------------------------------------------------------
    def keep(self, checkpoint: Checkpoint) -> Ref:
        """Copy *checkpoint* to where it stays; return its ref.

        Raises:
            BadArgument: it is no checkpoint, or its directory is gone.
            CheckpointFailed: there is no room for it, say; nothing of it is left.
        """
        if not isinstance(checkpoint, Checkpoint):
            raise BadArgumentType("checkpoint", checkpoint, "a Checkpoint, e.g. Checkpoint.from_directory(folder)")
        self._sweep()
        given = self.assignment
        fsync = given.checkpointing.fsync
        place = (given.trial_dir, self._index, given.experiment_dir)
        return self._kept(keep(checkpoint, *place, fsync=fsync, note=self.progress.write))

    def fresh_directory(self) -> str:
        """Return a new hidden directory in the trial's own, for a checkpoint that :meth:`adopt` takes."""
        self._sweep()
        return fresh(self.assignment.trial_dir)

    def adopt(self, folder: str) -> Ref:
        """Make what :meth:`fresh_directory` gave a checkpoint; return its ref."""
        given = self.assignment
        fsync = given.checkpointing.fsync
        place = (given.trial_dir, self._index, given.experiment_dir)
        return self._kept(take(folder, *place, fsync=fsync, note=self.progress.write))

    def offer(self, folder: str) -> None:
        """Let *folder* become the checkpoint of the next report."""
        with self._lock:
            if self._pending is not None:
                shutil.rmtree(self._pending, ignore_errors=True)
            self._pending = folder

    def take_pending(self) -> Ref | None:
        """Return the ref of what was offered and not reported yet, or None; an attempt may end on it."""
        if self._pending is None:
            return None
        folder, self._pending = self._pending, None
        return self.adopt(folder)

    def _kept(self, placed: tuple[Ref, int]) -> Ref:
        ref, index = placed
        self._index = index + 1
        self.checkpoint = Checkpoint(path_of(ref, self.assignment.experiment_dir))
        return ref

    def _sweep(self) -> None:
        if not self._swept:
            self._swept = True
            sweep(self.assignment.trial_dir, self.assignment.next_checkpoint)


# -- the session of this process -------------------------------------------------------------------------------------
# Globals of the module and no context variable: a thread that a trainable starts is part of its trial.

_changing = threading.Lock()
_open: list[tuple[int, Session]] = []  # those that run, the latest last, and the threads that they run in
_now: tuple[Session | None, bool] = (None, False)  # the latest; whether they are all in one thread


def current() -> Session | None:
    """Return the session of the trial that runs in this process, or None.

    Where several threads run trials at the same time (experiments with the inline executor), each has its own.

    Raises:
        LuthierError: they do, and this thread is none of them: nobody knows which trial it belongs to.
    """
    session, alone = _now
    if alone or session is None:
        return session
    me = threading.get_ident()
    for thread, other in reversed(_open):
        if thread == me:
            return other
    raise LuthierError(
        "several experiments run inline in this process, and this thread may belong to any of them: report from the "
        'thread that the trial runs in, or run them with RunConfig(executor="process").'
    )


@contextlib.contextmanager
def opened(session: Session) -> Iterator[None]:
    """Make *session* the current one; in the end, what was before is again."""
    entry = (threading.get_ident(), session)
    with _changing:
        _open.append(entry)
        _recount()
    _quiet_threads()
    try:
        yield
    finally:
        with _changing:
            _open.remove(entry)
            _recount()


def _recount() -> None:
    global _now  # noqa: PLW0603 (one process, one list of sessions)
    _now = (_open[-1][1] if _open else None, len({thread for thread, _ in _open}) == 1)


def report(metrics: Mapping[str, Any] | None = None, *, checkpoint: Checkpoint | None = None, **named: Any) -> None:
    """Report *metrics*, and a *checkpoint* to go on from if there is one.

    Returns once the report is safe.  Outside of a trial it warns once and does nothing, so that a trainable can be
    called by hand.

    Args:
        metrics: name to value.  Numbers, strings, nested dicts, arrays; numpy scalars and 0-d tensors become numbers.
        checkpoint: copied into the trial's directory before this returns; what was given stays the caller's.
        named: the older spelling, ``report(loss=0.1)``.

    Raises:
        BadArgumentType: *metrics* is no dict, or *checkpoint* no :class:`Checkpoint` (both are ``TypeError`` too).
        NotStorable: a value can neither be written down nor be pickled.

    >>> def trainable(config):
    ...     for step in range(10):
    ...         report({"loss": 1 / (1 + config["lr"] * step)})
    """
    if named or type(metrics) is not dict:
        metrics = _as_dict(metrics, named)
    session = current()
    if session is None:
        _tell_agent(metrics, checkpoint)
    elif session.passive:
        warn_once("report in class", "report() does nothing in a class trainable: return the results from step()")
    else:
        session.report(metrics, checkpoint)


def get_checkpoint() -> Checkpoint | None:
    """Return the checkpoint to go on from: the last one that was reported, by this attempt or one before it.

    None at the beginning, and outside of a trial.
    """
    session = current()
    if session is None:
        restore = os.environ.get("LUTHIER_RESTORE")
        return Checkpoint(restore) if restore else None
    return session.checkpoint


@contextlib.contextmanager
def checkpoint_dir(step: int | None = None) -> Iterator[str]:  # noqa: ARG001 (the older signature)
    """Give a fresh directory that becomes the checkpoint of the next report (the older way; *step* has no effect).

    Prefer ``report(metrics, checkpoint=Checkpoint.from_directory(folder))``.
    """
    deprecated("tune.checkpoint_dir(step)", "report({...}, checkpoint=Checkpoint.from_directory(folder))", stacklevel=6)
    session = current()
    if session is None:
        yield tempfile.mkdtemp(prefix="luthier_checkpoint_")
        return
    folder = session.fresh_directory()
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    session.offer(folder)


def _tell_agent(metrics: Mapping[str, Any], checkpoint: Checkpoint | None) -> None:
    """Report from a program that an agent runs for a sweep."""
    agent = line()
    if agent is None:
        warn_once("report outside", "report() was called outside of a trial: it does nothing there")
        return
    if rank() > 0:  # one process of a run speaks for all
        return
    if checkpoint is None:
        agent.log(plain(metrics))
        return
    if not isinstance(checkpoint, Checkpoint):
        raise BadArgumentType("checkpoint", checkpoint, "a Checkpoint, e.g. Checkpoint.from_directory(folder)")
    with checkpoint.as_directory() as folder:
        agent.log(plain(metrics), folder)


def _as_dict(metrics: object, named: dict[str, Any]) -> dict[str, Any]:
    wanted = "a dict such as report({'loss': 0.1})"
    if metrics is None:
        given: dict[str, Any] = {}
    elif isinstance(metrics, Mapping):
        given = dict(metrics)
    elif is_scalar(metrics):
        deprecated("report(0.1)", "report({'name': 0.1})", stacklevel=5)
        given = {ANONYMOUS: metrics}
    else:
        raise BadArgumentType("metrics", metrics, wanted, f"it is of type {type(metrics).__name__}")
    if named:
        deprecated("report(loss=0.1)", "report({'loss': 0.1})", stacklevel=5)
        given.update(named)
    return given


def _quiet_threads() -> None:
    """See to it that a thread that ends because its trial is to end says nothing on stderr."""
    hook = threading.excepthook
    if getattr(hook, "lets_halted_go", False):
        return

    def quiet(args: threading.ExceptHookArgs) -> None:
        if not issubclass(args.exc_type, Halted):
            hook(args)

    quiet.lets_halted_go = True  # type: ignore[attr-defined]
    threading.excepthook = quiet
