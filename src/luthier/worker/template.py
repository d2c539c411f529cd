"""The template: a process that has loaded the trainable once, and of which each trial's process is a fork.

It has one thread and no business of its own.  It starts processes as it is told, says when they end, and sees to it
that none outlives the driver: when the driver is gone, however it went, all descendants are killed.

Without a trainable it executes fresh interpreters instead of forking itself, and looks after them in the same way.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

from luthier.worker import orders
from luthier.worker.capture import tell_where
from luthier.worker.forking import obstacle_to_forking
from luthier.worker.frames import HEAD
from luthier.worker.main import serve
from luthier.worker.prctl import adopt_orphans, children, die_with_parent, name_process
from luthier.worker.preamble import BOOT, Preamble, enter, load

if TYPE_CHECKING:
    from types import FrameType

_PATIENCE = 5.0  # seconds for killed processes to vanish


def serve_as_template(control: int, preamble: int, where: int, parent: int) -> NoReturn:
    """Do as *control*, a socket that keeps packets apart, says until it ends.  Descriptors and a process id.

    On the signal :data:`~luthier.worker.capture.WHERE` the process writes to *where* what it is doing.
    """
    die_with_parent(signal.SIGTERM, parent)
    tell_where(where)
    adopt_orphans()
    name_process("luthier-template")
    with os.fdopen(preamble, "rb") as file:
        size = int.from_bytes(file.read(HEAD), "little")
        surroundings = enter(file.read(size))
    code = 1
    try:
        with socket.socket(fileno=control) as driver:
            code = Template(driver, surroundings).run()
    except OSError:
        pass  # the driver is gone
    finally:
        os._exit(code)


class Template:
    """The process itself: its children, and the driver that it serves.

    Args:
        control: to the driver; keeps packets apart.
        preamble: the trainable, among others; without one, children are executed and not forked.
    """

    def __init__(self, control: socket.socket, preamble: Preamble) -> None:
        self._control, self._preamble = control, preamble
        self._trainable: Any = None
        self._pids: dict[int, int] = {}  # by child
        self._children: dict[int, int] = {}  # by process id
        self._woken, self._wake = os.pipe()
        self._pid = os.getpid()
        self._living = True

    def run(self) -> int:
        """Load the trainable and serve until the driver is gone; return the exit code."""
        if self._preamble.trainable and not self._load():
            return 1
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _heed)
        signal.signal(signal.SIGTERM, _heed)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        try:
            while self._living:
                for descriptor, _ in poller.poll():
                    if descriptor == self._woken:
                        self._heed_signals()
                    else:
                        self._obey()
        finally:
            if os.getpid() == self._pid:
                self._bury_all()
        return 0

    def _load(self) -> bool:
        try:
            self._trainable = load(self._preamble)
        except BaseException:  # noqa: BLE001 (whatever a module raises, sys.exit included)
            self._tell(orders.Failed(orders.shortened(traceback.format_exc())))
            return False
        obstacle = obstacle_to_forking()
        gc.collect()
        gc.freeze()  # or the first collection in each child would copy all of it
        self._tell(orders.Ready(obstacle))
        return True

    # -- what comes ------------------------------------------------------------------------------------------------
    def _obey(self) -> None:
        packet, descriptors, _, _ = socket.recv_fds(self._control, orders.PACKET, 1)
        if not packet:
            self._living = False
            return
        match orders.decode_order(packet):
            case orders.Bear(child, environ):
                with socket.socket(fileno=descriptors[0]) as sock:
                    self._bear(child, sock, environ)
            case orders.Signal(child, signum, group):
                pid = self._pids.get(child)
                if pid is not None:
                    _kill(pid, signum, group=group)
                self._tell(orders.Heard())

    def _heed_signals(self) -> None:
        if signal.SIGTERM in os.read(self._woken, 4096):
            self._living = False
            return
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            pid = dead.si_pid
            child = self._children.pop(pid, None)
            if child is not None:
                _kill(pid, signal.SIGKILL, group=True)  # before the id is free again
            _, status, usage = os.wait4(pid, 0)
            if child is not None:
                del self._pids[child]
                self._tell(orders.Died(child, status, usage.ru_maxrss))

    # -- children --------------------------------------------------------------------------------------------------
    def _bear(self, child: int, sock: socket.socket, environ: dict[str, str]) -> None:
        try:
            pid = self._fork(sock) if self._preamble.trainable else self._execute(sock, environ)
        except OSError as error:
            self._tell(orders.Stillborn(child, str(error)))
            return
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # as the child does: whoever comes first
        self._pids[child], self._children[pid] = pid, child
        self._tell(orders.Born(child, pid))

    def _execute(self, sock: socket.socket, environ: dict[str, str]) -> int:
        sock.set_inheritable(True)
        command = [sys.executable, *self._preamble.flags, BOOT, "trial", str(sock.fileno()), str(self._pid)]
        return os.posix_spawn(
            sys.executable, command, os.environ | environ, setpgroup=0, setsigdef=[signal.SIGCHLD, signal.SIGTERM]
        )

    def _fork(self, sock: socket.socket) -> int:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or each child would print it once more
        with warnings.catch_warnings():  # from 3.12 on of native threads; what they are was looked at
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            return pid
        try:
            os.setpgid(0, 0)
            die_with_parent(signal.SIGKILL, self._pid)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            os.close(self._woken)
            os.close(self._wake)
            _forget_inheritance()
            serve(socket.socket(fileno=sock.detach()), self._trainable, reuse=self._preamble.reuse)
        except BaseException:  # noqa: BLE001 (nothing may return into the template's loop)
            traceback.print_exc()
        finally:
            os._exit(1)

    def _bury_all(self) -> None:
        """Kill every descendant: the groups first, then what left its group and was orphaned."""
        for pid in self._children:
            _kill(pid, signal.SIGKILL, group=True)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            for pid in children():
                _kill(pid, signal.SIGKILL)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.001)

    def _tell(self, message: Any) -> None:
        self._control.sendall(orders.encode(message))


def _heed(signum: int, frame: FrameType | None) -> None:
    """Do nothing: the number of the signal comes through the pipe."""


def _kill(pid: int, signum: int, *, group: bool = False) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(pid, signum)
        else:
            os.kill(pid, signum)


def _forget_inheritance() -> None:
    """Leave to the template what the template is to do at its end, and draw random numbers of our own.

    No interface says this; where Python should ever change, tests/execution/test_process_start.py notices.
    """
    atexit._clear()  # noqa: SLF001 (as above)
    finalize: Any = weakref.finalize
    finalize._registry.clear()  # noqa: SLF001 (as above; temporary directories that the modules have made, say)
    finalize._registered_with_atexit = False  # noqa: SLF001 (as above)
    if "logging" in sys.modules:
        atexit.register(sys.modules["logging"].shutdown)
    if "multiprocessing.util" in sys.modules:
        atexit.register(sys.modules["multiprocessing.util"]._exit_function)  # noqa: SLF001 (as above)
    if "numpy.random" in sys.modules:  # Python's own generator does this itself
        sys.modules["numpy.random"].seed()
