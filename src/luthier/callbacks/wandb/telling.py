"""The driver's side: starts the process that tells W&B, passes on what it says, and waits for it in the end."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from luthier.callbacks.wandb.job import LOG, OFFLINE_INSTEAD

if TYPE_CHECKING:
    from luthier.callbacks.wandb.job import Job

log = logging.getLogger("luthier")

INTERRUPTED_S = 5.0  # seconds that an interrupted experiment waits for its runs to be closed
_QUIET_S = 5.0  # seconds of waiting that nobody is told of
_DEATHS = 3  # of the process, within so many seconds, are too many
_WITHIN_S = 600.0
_left: list[subprocess.Popen[bytes]] = []  # those that go on by themselves; kept, since nobody waits for them


class Telling:
    """One process, from the experiment's beginning to its end.

    The process follows the log by itself: nothing is to be done for a report.  Where it dies it is started again, and
    goes on where it was, unless that happens again and again; where W&B cannot be reached, it is started again to write
    runs down.

    Args:
        job: what it is to do.
    """

    def __init__(self, job: Job) -> None:
        self._job, self._lock = job, threading.Lock()
        self._over = False  # no further reports will come
        self._abandoned = False  # nobody waits any more
        self._done = threading.Event()  # and no join: Ctrl-C while one waits in that marks the thread as ended (3.11)
        self._process = self._started()
        self._thread = threading.Thread(target=self._watch, name="luthier-wandb", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def finish(self, *, interrupted: bool = False) -> bool:
        """Say that the experiment is over, and wait until all is told; return whether it is.

        Args:
            interrupted: whether to wait for a few seconds only; what is not told by then goes on without us.
        """
        with self._lock:
            self._over = True
            self._close_stdin()
        until = time.monotonic() + (INTERRUPTED_S if interrupted else self._job.timeout_s + INTERRUPTED_S)
        try:
            if not self._done.wait(min(_QUIET_S, INTERRUPTED_S)) and not interrupted:
                log.warning("W&B takes the last results; Ctrl-C leaves that to the background.")
            self._done.wait(max(0.0, until - time.monotonic()))
        except KeyboardInterrupt:  # as was said: it goes on by itself
            pass
        finally:
            if self._done.is_set():
                self._thread.join()
            else:
                self._abandon()
        return not self._abandoned

    def _abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            _left.append(self._process)
        log.warning(
            "W&B does not have all results yet: process %d sends the rest and ends, within %g s.",
            self._process.pid, self._job.timeout_s,
        )  # fmt: skip

    def _started(self) -> subprocess.Popen[bytes]:
        _left[:] = [process for process in _left if process.poll() is None]
        import cloudpickle

        job: bytes = cloudpickle.dumps(self._job)
        command = [sys.executable, "-P", "-m", "luthier.callbacks.wandb.sender"]
        paths = os.pathsep.join(path for path in sys.path if path)
        with open(os.path.join(self._job.directory, LOG), "ab") as errors:
            process = subprocess.Popen(  # noqa: S603 (this very interpreter)
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,  # Ctrl-C is for the driver
            )
        assert process.stdin is not None  # noqa: S101 (as asked for)
        try:
            process.stdin.write(len(job).to_bytes(8, "little") + job)
            process.stdin.flush()
        except BrokenPipeError:  # it is gone already, which is noticed where it is waited for
            pass
        return process

    def _watch(self) -> None:
        try:
            self._attend()
        except OSError as error:  # no room for another process, say
            log.warning("W&B: nothing more is told: %s", error)
        finally:
            self._done.set()

    def _attend(self) -> None:
        """Pass on what the process says until it has done its work; start it again where it has not."""
        deaths: list[float] = []  # when, and the last ones only
        said: set[bytes] = set()  # a process that is started again finds the same
        while True:
            process = self._process
            assert process.stdout is not None  # noqa: S101 (as asked for)
            with process.stdout:
                for line in process.stdout:
                    if line in said:
                        continue
                    said.add(line)
                    level = logging.INFO if self._abandoned else logging.WARNING
                    log.log(level, "W&B: %s", line.decode("utf-8", "replace").rstrip())
            code = process.wait()
            with self._lock:
                self._close_stdin()
                if self._abandoned and code != OFFLINE_INSTEAD:
                    return
                if code == 0 and self._over:
                    break
                if code == OFFLINE_INSTEAD and not self._job.offline:
                    self._job = msgspec.structs.replace(self._job, offline=True)
                else:
                    now = time.monotonic()
                    deaths = [*(death for death in deaths if now - death < _WITHIN_S), now]
                if len(deaths) == _DEATHS:
                    log.warning(
                        "W&B: nothing more is told: the process that does so has died %d times; see %s. The experiment "
                        "goes on. What is missing is told when it is restored.",
                        _DEATHS, os.path.join(self._job.directory, LOG),
                    )  # fmt: skip
                    break
                self._process = self._started()
                if self._over:
                    self._close_stdin()
        self._forget_empty_log()

    def _close_stdin(self) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            try:
                stdin.write(b".")  # a process that this one has forked may hold the pipe open: closing it is no sign
                stdin.close()
            except OSError:  # it is gone
                pass

    def _forget_empty_log(self) -> None:
        path = os.path.join(self._job.directory, LOG)
        if os.path.exists(path) and not os.path.getsize(path):
            os.unlink(path)
