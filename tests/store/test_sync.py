from __future__ import annotations

import os
import threading
import time

import pytest

from luthier.store.sync import Syncer, fsync_named, sync_directory


def test_the_thread_syncs_soon_and_close_syncs_the_rest():
    synced, calls = threading.Event(), []

    def fsync(fd):
        calls.append((fd, threading.current_thread().name))
        synced.set()

    syncer = Syncer(7, fsync)
    syncer.touch()
    assert synced.wait(30)
    deadline = time.monotonic() + 30
    while syncer._dirty.is_set() and time.monotonic() < deadline:
        time.sleep(0.001)
    syncer.touch()  # within the second that the thread rests
    syncer.close()
    assert calls[0] == (7, "luthier-fsync")
    assert len(calls) == 2
    assert syncer.failures == []


def test_what_nobody_touched_is_not_synced():
    calls: list[int] = []
    Syncer(7, calls.append).close()
    assert calls == []


def test_a_failure_is_kept():
    def fsync(fd):
        raise OSError(5, "Input/output error")

    syncer = Syncer(7, fsync)
    syncer.touch()
    syncer.close()
    assert [str(error) for error in syncer.failures] == ["[Errno 5] Input/output error"]


def test_many_touches_cost_one_sync_per_second():
    calls: list[int] = []
    syncer = Syncer(7, calls.append)
    for _ in range(10_000):
        syncer.touch()
    syncer.close()
    assert 1 <= len(calls) <= 5


def test_directories_that_are_not_there_do_no_harm(tmp_path):
    sync_directory(tmp_path)
    sync_directory(tmp_path / "none")


def test_a_file_that_was_deleted_is_not_safe(tmp_path):
    path = tmp_path / "file"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        fsync_named(fd)
        path.unlink()
        with pytest.raises(FileNotFoundError, match="it was deleted"):
            fsync_named(fd)
    finally:
        os.close(fd)
