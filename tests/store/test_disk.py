"""A disk that is full, broken, slow to sync; and Ctrl-C in the middle of it all."""

from __future__ import annotations

import errno
import os
import time

import pytest

from luthier.core.errors import StoreFailed, StoreFull
from luthier.store import jsonl
from luthier.store.head import read_head
from luthier.store.jsonl import JsonlStore
from tests.store.logs import grow, report, segment, seqs


class Disk:
    """Stands for the os module of the store: the n-th write goes wrong in a given way."""

    def __init__(self, monkeypatch, fail):
        self.fail = fail
        monkeypatch.setattr(jsonl, "os", self)

    def __getattr__(self, name):
        return getattr(os, name)

    def write(self, fd, data):
        return self.fail(fd, data)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_leaves_no_half_batch(tmp_path, monkeypatch, code):
    with JsonlStore(tmp_path) as store:
        store.append([report(0)], after=0)

        def fail(fd, data):
            if len(data) < 20:
                raise OSError(code, os.strerror(code))
            return os.write(fd, data[: len(data) // 2])

        with monkeypatch.context() as patch:
            Disk(patch, fail)
            for _ in range(2):
                with pytest.raises(StoreFull, match=r"events-0+\.jsonl cannot grow: .* MB free\).*Make room"):
                    store.append([report(1)], after=1)
            assert segment(tmp_path).read_bytes().endswith(b"\n")
        assert store.append([report(1)], after=1) == 2
    assert seqs(tmp_path) == [0, 1]


def test_a_broken_disk_is_another_thing(tmp_path, monkeypatch):
    with JsonlStore(tmp_path) as store:

        def fail(fd, data):
            raise OSError(errno.EIO, "Input/output error")

        Disk(monkeypatch, fail)
        with pytest.raises(StoreFailed, match=r"cannot be written: Input/output error") as caught:
            store.append([report(0)], after=0)
        assert not isinstance(caught.value, StoreFull)


def test_where_half_a_batch_cannot_be_removed_nothing_more_is_written(tmp_path, monkeypatch):
    with JsonlStore(tmp_path) as store:
        store.append([report(0)], after=0)

        def fail(fd, data):
            if len(data) < 20:
                raise OSError(errno.EIO, "Input/output error")
            return os.write(fd, data[: len(data) // 2])

        def no(fd, size):
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            Disk(patch, fail).ftruncate = no  # type: ignore[attr-defined]
            with pytest.raises(StoreFailed):
                store.append([report(1)], after=1)
        with pytest.raises(StoreFailed, match="ends in half a batch"):
            store.append([report(1)], after=1)
    assert seqs(tmp_path) == [0]
    grow(tmp_path, 1, after=1)
    assert seqs(tmp_path) == [0, 1]


@pytest.mark.parametrize("when", ["before", "half", "after"])
@pytest.mark.parametrize("look", [True, False])
def test_ctrl_c_in_the_middle_of_an_append_leaves_all_or_nothing(tmp_path, monkeypatch, when, look):
    with JsonlStore(tmp_path) as store:
        store.append([report(0)], after=0)

        def fail(fd, data):
            os.write(fd, data[: {"before": 0, "half": len(data) // 2, "after": len(data)}[when]])
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            Disk(patch, fail)
            with pytest.raises(KeyboardInterrupt):
                store.append([report(1)], after=1)
        end = sum(len(record.events) for record in store.read()) if look else 1
        assert store.append([report(end)], after=end) == end + 1
    assert seqs(tmp_path) == list(range(end + 1))


def test_fsync_never_interval_always(tmp_path, monkeypatch):
    calls: dict[str, int] = {}
    real = os.fsync
    for policy in ("never", "interval", "always"):
        calls[policy] = 0

        def count(fd, policy=policy):
            calls[policy] += not os.path.isdir(f"/proc/self/fd/{fd}")
            real(fd)

        monkeypatch.setattr(os, "fsync", count)
        grow(tmp_path / policy, 20, fsync=policy)
        assert len(seqs(tmp_path / policy)) == 20
    assert calls["never"] == 0
    assert 1 <= calls["interval"] <= 10
    assert calls["always"] == 20


def test_a_failed_fsync_ends_the_writing(tmp_path, monkeypatch):
    def fail(fd):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    store = JsonlStore(tmp_path)
    store.append([report(0)], after=0)
    deadline = time.monotonic() + 30
    failure, end = None, 1
    while failure is None and time.monotonic() < deadline:
        try:
            end = store.append([report(end)], after=end)
        except StoreFailed as error:
            failure = error
        time.sleep(0.01)
    assert "Input/output error" in str(failure)
    assert seqs(tmp_path) == list(range(end))  # what was refused is not there
    with pytest.raises(StoreFailed):
        store.append([report(end)], after=end)
    with pytest.raises(StoreFailed):
        store.close()
    assert read_head(tmp_path) is None  # nobody knows what is on the disk
    JsonlStore(tmp_path).close()


def test_a_log_that_somebody_deletes_ends_the_writing(tmp_path):
    store = JsonlStore(tmp_path)
    store.append([report(0)], after=0)
    segment(tmp_path).unlink()
    store._syncer.touch()
    with pytest.raises(StoreFailed, match=r"events-0+\.jsonl is gone: somebody has deleted or moved it"):
        store.close()
