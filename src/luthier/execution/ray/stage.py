"""What runs in an actor: one trial after the other, by the same code as in a process on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import queue
import sys
import tempfile
import threading
import traceback
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.events import Exited, Reported
from luthier.core.terms import Outcome, Verdict
from luthier.execution.environment import thread_environment
from luthier.execution.ray.wire import Wire
from luthier.execution.satchel import Satchel
from luthier.worker.attempt import Runner
from luthier.worker.capture import flush_output, prepare_output
from luthier.worker.frames import (
    HEAD,
    VERDICTS,
    Unloadable,
    decode,
    decode_assignment,
    encode_exit,
    encode_report,
    frame_of,
)
from luthier.worker.halting import Halted
from luthier.worker.main import settle_in
from luthier.worker.parcel import provide
from luthier.worker.preamble import enter, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.execution.ray.wire import Address
    from luthier.worker.assignment import Assignment

    Said = tuple[bytes, bytes]


class Surroundings(msgspec.Struct, frozen=True):
    """What the driver has around it, and trials are to have, too.

    Attributes:
        preamble: a :class:`~luthier.worker.preamble.Preamble`, encoded, without its trainable.
        path: where modules are searched for.
        cwd: the working directory.
        environ: added to the environment.
        parcels: names of the objects that come beside the trainable.
        reuse: whether an instance of a class is kept for the next trial.
        gpus: whether the cluster has GPUs, so that a trial is told which are its own.
        marker: a file of the experiment's directory: who sees it sees the directory.
    """

    preamble: bytes
    path: list[str]
    cwd: str
    environ: dict[str, str]
    parcels: list[str]
    reuse: bool
    gpus: bool
    marker: str


class Stage:
    """An actor's object.

    The trial runs in a thread of its own.  Its reports go by wire, straight to the driver.  Where that cannot be,
    :meth:`play` and :meth:`advance` return what it says next: so each report is the answer to one call, and the verdict
    on it comes with the next one.  Beside it they return the files that go with it, where this node does not see the
    experiment's directory; the trial works in a directory of this node then.

    Args:
        surroundings: the driver's.
        threads: how many threads the trial computes with.
        wire: where the driver takes reports itself, and this actor's number there.
        trainable: pickled by cloudpickle.
        parcels: large objects that come beside it.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        threads: int,
        wire: tuple[Address | None, int],
        trainable: bytes,
        *parcels: Any,
    ) -> None:
        os.environ.update(surroundings.environ)
        os.environ.update(thread_environment(threads, os.environ))
        self._said: queue.SimpleQueue[bytes | bytearray] = queue.SimpleQueue()
        self._verdicts: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._telling = threading.Lock()
        self._thread: threading.Thread | None = None
        self._gpus = surroundings.gpus
        self._satchel = Satchel(surroundings.marker)
        self._wire = Wire(*wire)
        self._assignment: Assignment | None = None
        self._problem, self._pid = "", os.getpid()
        try:
            self._runner = Runner(_loaded(surroundings, trainable, parcels), reuse=surroundings.reuse)
        except BaseException:  # noqa: BLE001 (whatever a module raises, sys.exit included)
            self._problem = traceback.format_exc()

    def ready(self) -> Said:
        """Return once the trainable is loaded: nothing, or an ``Unloadable``; and whether files must be sent here."""
        problem = bytes(frame_of(Unloadable(self._problem))[HEAD:]) if self._problem else b""
        return problem, self._satchel.folder.encode()

    def play(self, payload: bytes, luggage: bytes = b"") -> Said:
        """Begin an attempt, with the checkpoint to go on from; return the payload of what it says first."""
        self._assignment = assignment = self._satchel.unpack(decode_assignment(payload), luggage)
        self._thread = threading.Thread(target=self._run, args=(assignment,), name="trial", daemon=True)
        self._thread.start()
        return self._next()

    def advance(self, verdict: bytes) -> Said:
        """Give the verdict that the trial waits for; return the payload of what it says next."""
        self._verdicts.put(verdict)
        return self._next()

    def where(self) -> bytes:
        """Return the stacks of all threads, as faulthandler writes them."""
        with tempfile.TemporaryFile() as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            return file.read()

    def ask(self) -> None:
        """Raise ``Halted`` in the trial, as soon as it comes to a line of Python."""
        thread = self._thread
        if thread is not None and thread.is_alive() and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Halted))

    def leave(self, seconds: float) -> None:
        """End the process as the interpreter would, or at once where that takes more than so many *seconds*."""
        import ray

        watchdog = threading.Timer(seconds, os._exit, (0,))  # Ray counts an actor as gone as soon as it leaves
        watchdog.daemon = True
        watchdog.start()
        with contextlib.suppress(BaseException):
            self._runner.close()
        flush_output()
        self._wire.close()
        self._satchel.close()
        ray.actor.exit_actor()  # type: ignore[no-untyped-call,unused-ignore]  # whether Ray is there or not

    def tell(self, report: Reported) -> Verdict:
        """Deliver *report* and wait for the verdict: the channel of the running trial.

        Raises:
            Halted: this is not the trial's process, but one that it has forked.
        """
        if os.getpid() != self._pid:  # what the trial has forked: the verdict is not for it
            raise Halted
        frame = encode_report(report)
        with self._telling:
            travels = self._satchel.folder and report.checkpoint is not None  # with files
            verdict = None if travels else self._wire.ask(frame)
            if verdict is None:
                self._said.put(frame)
                verdict = self._verdicts.get()
            return VERDICTS[verdict]

    def _next(self) -> Said:
        payload = bytes(self._said.get()[HEAD:])
        return payload, self._luggage(payload) if self._satchel.folder else b""

    def _luggage(self, payload: bytes) -> bytes:
        """Return the files that go with *payload*, which the driver must have before it heeds it."""
        event, assignment = decode(payload), self._assignment
        if assignment is None or isinstance(event, Unloadable):
            return b""
        return self._satchel.pack(event, assignment.trial_dir)

    def _run(self, assignment: Assignment) -> None:
        try:
            exited = self._attempt(assignment)
            flush_output()
        except Halted:  # asked for when it was over already
            exited = Exited(assignment.trial, assignment.attempt, Outcome.HALTED)
        if os.getpid() != self._pid:  # what the trial has forked has come out of it, too
            os._exit(exited.outcome is Outcome.ERROR)
        self._said.put(encode_exit(exited))

    def _attempt(self, assignment: Assignment) -> Exited:
        try:
            if self._gpus and "gpu" not in assignment.devices:
                assignment = msgspec.structs.replace(assignment, devices={**assignment.devices, "gpu": own_gpus()})
            settle_in(assignment)
            prepare_output()
            return self._runner.run(assignment, self)
        except Halted:
            return Exited(assignment.trial, assignment.attempt, Outcome.HALTED)
        except BaseException:  # noqa: BLE001 (an Exited is owed, whatever happens)
            return Exited(assignment.trial, assignment.attempt, Outcome.ERROR, traceback.format_exc())


def own_gpus() -> list[str]:
    """Return the ids of the GPUs that Ray has given to this actor."""
    import ray

    return [str(gpu) for gpu in ray.get_gpu_ids()]


def _loaded(surroundings: Surroundings, trainable: bytes, parcels: Sequence[Mapping[str, Any]]) -> Any:
    """Return the trainable, in the surroundings of its driver as far as this node has them."""
    sys.path.extend(folder for folder in surroundings.path if folder not in sys.path)
    with contextlib.suppress(OSError):
        os.chdir(surroundings.cwd)
    for name, objects in zip(surroundings.parcels, parcels, strict=True):
        provide(name, dict(objects))
    return load(msgspec.structs.replace(enter(surroundings.preamble), trainable=trainable))
