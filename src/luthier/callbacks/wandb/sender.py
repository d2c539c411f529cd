"""The process that tells W&B: ``python -m luthier.callbacks.wandb.sender``.

It gets its job on stdin, and goes when that is closed and all that the log says has been told: the experiment is over,
interrupted, or its driver has died.  What people should know it writes to stdout, a line for each thing.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from luthier.callbacks.wandb.follower import Follower
from luthier.callbacks.wandb.job import OFFLINE_INSTEAD
from luthier.callbacks.wandb.journal import Journal
from luthier.callbacks.wandb.runs import Runs, Unreachable
from luthier.core.errors import Conflict, NotAnExperiment
from luthier.store.card import ExperimentCard
from luthier.store.lock import WriterLock
from luthier.store.tail import Tail

if TYPE_CHECKING:
    from luthier.callbacks.wandb.job import Job

LOCK = ".wandb.lock"
_PAUSE = 0.25  # seconds between two looks at the log


def main() -> NoReturn:
    """Do the job that stands on stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business, who closes stdin then
    job: Job = pickle.loads(_told(int.from_bytes(_told(8), "little")))  # noqa: S301 (from the driver that started us)
    if job.program:
        os.environ["WANDB_PROGRAM"] = job.program
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("GOMEMLIMIT", "64MiB")
    runs = Runs(job, _say)
    try:
        lock = _alone(job)
        try:
            follow(job, runs)
        finally:
            lock.release()
    except Unreachable as trouble:
        _say(f"cannot be reached ({trouble}); runs are written down instead: wandb sync sends them later")
        os._exit(OFFLINE_INSTEAD)  # the client's service still tries: it ends with this process
    sys.exit(0)


def follow(job: Job, runs: Runs) -> None:
    """Tell what the log says, until stdin is closed and its end is reached.

    Raises:
        Unreachable: W&B cannot be reached.
    """
    threading.Thread(target=_listen, daemon=True).start()
    while True:
        journal = Journal(job.directory, job.target)
        follower, tail = Follower(job, _card(job), journal, runs), Tail(job.directory, unpickle=False)
        try:
            while True:
                over = _gone.wait(_PAUSE)
                if over:
                    _not_forever(job.timeout_s)
                for record in tail.look():
                    for event in record.events:
                        follower.hear(event)
                if over:
                    follower.leave()
                    runs.settle()
                    return
        except Conflict:  # the log has taken something back: from the beginning, with what was told already in mind
            follower.leave()


def _card(job: Job) -> ExperimentCard:
    return ExperimentCard.read(job.directory, unpickle=False)


def _alone(job: Job) -> WriterLock:
    """Wait until no other process tells of this experiment: one of an earlier driver may still be at it."""
    until = time.monotonic() + job.timeout_s
    while True:
        try:
            return WriterLock(Path(job.directory, LOCK))
        except Conflict:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)


_ending: list[threading.Timer] = []


def _not_forever(timeout: float) -> None:
    """End this process after *timeout* seconds, whatever it waits for."""
    if not _ending:
        _ending.append(threading.Timer(timeout, _give_up))
        _ending[0].daemon = True
        _ending[0].start()


def _give_up() -> None:
    _say("not all was uploaded in time: wandb sync sends the rest from the directories called wandb")
    os._exit(0)


def _told(size: int) -> bytes:
    """Read *size* bytes from stdin."""
    told = b""
    while len(told) < size:
        part = os.read(0, size - len(told))
        if not part:
            sys.exit(0)
        told += part
    return told


_gone = threading.Event()


def _listen() -> None:
    """Notice that the driver is through, or dead."""
    os.read(0, 1)
    _gone.set()


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        os.write(1, line.replace("\n", " ").encode("utf-8", "backslashreplace") + b"\n")


if __name__ == "__main__":
    with contextlib.suppress(NotAnExperiment):  # its directory is gone
        main()
