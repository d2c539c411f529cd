"""A trial's process: takes assignments from its socket, runs them, and goes."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import threading
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

from luthier.core.events import Exited
from luthier.core.terms import Outcome
from luthier.worker.attempt import Runner
from luthier.worker.capture import capture_output, flush_output, prepare_output
from luthier.worker.frames import Unloadable
from luthier.worker.halting import Halted
from luthier.worker.pipe import Pipe, read_frame
from luthier.worker.prctl import die_with_parent, name_process
from luthier.worker.preamble import enter, load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from luthier.worker.assignment import Assignment


def serve_one(descriptor: int, parent: int) -> NoReturn:
    """Be a trial's process that was executed: *descriptor* is its socket, on which the preamble comes first."""
    die_with_parent(signal.SIGKILL, parent)
    serve_socket(socket.socket(fileno=descriptor))


def serve_socket(sock: socket.socket) -> NoReturn:
    """Read the preamble from *sock*, load the trainable and serve."""
    payload = read_frame(sock)
    if payload is None:
        os._exit(1)
    preamble = enter(payload)
    try:
        trainable = load(preamble)
    except BaseException:  # noqa: BLE001 (whatever a module raises, sys.exit included)
        Pipe(sock).refuse(Unloadable(traceback.format_exc().encode("utf-8", "backslashreplace").decode()))
        os._exit(1)
    serve(sock, trainable, reuse=preamble.reuse)


def serve(sock: socket.socket, trainable: Any, *, reuse: bool) -> NoReturn:
    """Run what is assigned over *sock*: one attempt, or one after the other with *reuse*; then end the process.

    A process whose trial failed is not used again.
    """
    sock.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    signal.signal(signal.SIGTERM, _raise_halted)
    if hasattr(os, "register_at_fork"):
        _keep_from_forks(sock)
    prepare_output()
    pipe, runner = Pipe(sock), Runner(trainable, reuse=reuse)
    try:
        while (assignment := pipe.next()) is not None:
            exited = _attempt(runner, assignment, pipe)
            flush_output()
            if not pipe.leave(exited) or not reuse or exited.outcome is Outcome.ERROR:
                break
        runner.close()
    except Halted:
        pass  # between two assignments there is nothing to unwind
    _leave()


def _attempt(runner: Runner, assignment: Assignment, pipe: Pipe) -> Exited:
    try:
        settle_in(assignment)
        return runner.run(assignment, pipe)
    except Halted:
        return Exited(assignment.trial, assignment.attempt, Outcome.HALTED)
    except BaseException:  # noqa: BLE001 (an Exited is owed, whatever happens)
        return Exited(assignment.trial, assignment.attempt, Outcome.ERROR, traceback.format_exc())


def settle_in(assignment: Assignment) -> None:
    """Give the trial its own environment and its own files to print to."""
    capture_output(assignment.trial_dir)
    os.environ["LUTHIER_TRIAL_ID"] = assignment.trial
    os.environ["LUTHIER_TRIAL_DIR"] = assignment.trial_dir
    gpus = assignment.devices.get("gpu")
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    name_process(f"luthier {assignment.trial}")


def _raise_halted(_signum: int, _frame: FrameType | None) -> None:
    raise Halted


def _keep_from_forks(sock: socket.socket) -> None:
    """Let what the trial forks itself have neither *sock*, which would stay open, nor our way to take SIGTERM.

    Process.terminate and the like are meant to end a process.  The signal is blocked meanwhile: Python forgets those
    that come to a fork before it is ready.
    """
    former: list[Iterable[int]] = []

    def before() -> None:
        former.append(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}))

    def after() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, former.pop())

    def within() -> None:
        sock.close()
        if signal.getsignal(signal.SIGTERM) is _raise_halted:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        after()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=within)


def _leave() -> NoReturn:
    """End the process as the interpreter would, but for tearing down every object."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 (as at any exit: waits for threads)
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()  # noqa: SLF001 (as above)
    flush_output()
    os._exit(0)
