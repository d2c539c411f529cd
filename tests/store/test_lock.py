from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from luthier.core.errors import Conflict, StoreFailed
from luthier.store.lock import Holder, WriterLock, holder

HOLD = """if True:
    import sys, time
    from pathlib import Path
    from luthier.store.lock import WriterLock
    lock = WriterLock(Path(sys.argv[1]))
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_dead_process_holds_nothing(tmp_path):
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        who = holder(path)
        assert who is not None
        assert who.pid == other.pid
        with pytest.raises(Conflict, match=f"written by process {other.pid} on .*, since 20.*another name"):
            WriterLock(path)
        other.kill()
    assert holder(path) is None
    mine = WriterLock(path)
    who = holder(path)
    assert who is not None
    assert who.pid == os.getpid()
    mine.release()
    mine.release()
    assert holder(path) is None


def test_the_lock_is_not_handed_to_programs_that_are_started(tmp_path):
    path = tmp_path / ".lock"
    held = WriterLock(path)
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False, stderr=subprocess.DEVNULL
    ) as other:
        held.release()
        WriterLock(path).release()
        other.kill()


def test_who_lets_go_soon_is_waited_for(tmp_path):
    path = tmp_path / ".lock"
    held = WriterLock(path)
    thread = threading.Timer(0.05, held.release)
    thread.start()
    WriterLock(path).release()
    thread.join()


def test_a_holder_that_left_no_name_is_another_process(tmp_path):
    path = tmp_path / ".lock"
    held = WriterLock(path)
    path.write_bytes(b"rubbish")
    with pytest.raises(Conflict, match="written by another process"):
        WriterLock(path)
    held.release()
    assert str(Holder(3, "here", time.time())).startswith("process 3 on here, since 20")


def test_nobody_holds_a_lock_that_is_not_there(tmp_path):
    assert holder(tmp_path / "none" / ".lock") is None
    with pytest.raises(StoreFailed, match="cannot be opened for writing"):
        WriterLock(tmp_path / "none" / ".lock")


def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch):
    def flock(fd, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("luthier.store.lock.fcntl.flock", flock)
    with pytest.warns(UserWarning, match="file system without locks"):
        held = WriterLock(tmp_path / ".lock")
    held.release()
