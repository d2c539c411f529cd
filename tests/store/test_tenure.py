"""Holding a lease: renewed in the background, noticed when lost, and asked before uploads that come late."""

from __future__ import annotations

import logging
import threading
import time

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from luthier.core.errors import TakenOver
from luthier.store.lease import Lease, claim_of_this_process
from luthier.store.mirror import Mirror, Round
from luthier.store.remote import Remote
from luthier.store.tenure import Tenure

TERM = 0.6


class Away(MemoryFileSystem):  # type: ignore[misc]
    """A file system that may be away."""

    cachable = False

    def __init__(self):
        super().__init__()
        self.away = threading.Event()
        self.busy = threading.Lock()

    def find(self, *args, **kwargs):
        if self.away.is_set():
            raise ConnectionError("nobody answers")
        return super().find(*args, **kwargs)

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        assert self.busy.acquire(blocking=False), "two at once, on a file system that is not made for it"
        try:
            super().pipe_file(path, value, mode, **kwargs)
        finally:
            self.busy.release()


class Hasty:
    """A clock for those who need not wait."""

    monotonic, time = staticmethod(time.monotonic), staticmethod(time.time)

    def sleep(self, seconds):
        raise AssertionError(f"nobody has to wait {seconds} s here")


@pytest.fixture
def remote(tmp_path):
    yield Remote.at(f"memory://{tmp_path.name}/run", Away())
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def begin(remote):
    begun = []

    def begin(on_loss=lambda _: None):
        begun.append(Tenure(Lease.take(remote, claim_of_this_process(TERM)), on_loss))
        return begun[-1]

    yield begin
    for tenure in begun:
        tenure.close(release=False)


def renewals(remote):
    from luthier.store.lease import _decoded, _newest

    return _decoded(_newest(remote)[1]).renewals


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_is_renewed_until_it_is_closed(remote, begin):
    tenure = begin()
    wait_for(lambda: renewals(remote) >= 3)
    tenure.close()
    tenure.close(release=False)
    assert tenure.released and not tenure.loss
    Lease.take(remote, claim_of_this_process(), clock=Hasty())
    with pytest.raises(TakenOver, match="the run has ended"), tenure.turn():
        raise AssertionError


def test_an_outage_ends_nothing_and_uploads_wait_for_its_end(remote, begin, caplog):
    lost: list[str] = []
    tenure = begin(lost.append)
    remote.filesystem.away.set()
    wait_for(lambda: "cannot be renewed (ConnectionError: nobody answers)" in caplog.text)
    with pytest.raises(ConnectionError), tenure.turn():
        raise AssertionError
    remote.filesystem.away.clear()
    with tenure.turn():
        pass
    wait_for(lambda: "is renewed again" in caplog.text)
    assert not lost and not tenure.loss
    assert [r.levelno for r in caplog.records] == [logging.WARNING] * 2


def test_a_lease_is_given_back_at_the_second_attempt_too(remote, begin, caplog):
    tenure = begin()
    remote.filesystem.away.set()
    threading.Timer(0.05, remote.filesystem.away.clear).start()
    tenure.close()
    assert tenure.released and not caplog.records


def test_who_cannot_give_it_back_says_what_follows(remote, begin, caplog):
    tenure = begin()
    remote.filesystem.away.set()
    tenure.close()
    assert not tenure.released and not tenure.loss
    (record,) = caplog.records
    assert "cannot be given back (ConnectionError: nobody answers)" in record.getMessage()
    assert "waits 0.6 s first" in record.getMessage()


def test_who_was_taken_over_from_finds_out_and_uploads_nothing(remote, begin, tmp_path):
    lost: list[str] = []
    tenure = begin(lost.append)
    (tmp_path / "a.txt").write_text("mine")
    mirror = Mirror(str(tmp_path), remote, turn=tenure.turn)
    remote.filesystem.away.set()  # for us alone
    other = Remote.at(remote.url, MemoryFileSystem())
    Lease.take(other, claim_of_this_process())
    mirror.give(Round(files=("a.txt",)))
    assert not mirror.wait(TERM)
    remote.filesystem.away.clear()
    wait_for(lambda: lost)
    assert lost == [tenure.loss] and "was taken over by process" in tenure.loss
    assert not mirror.close(3600.0)  # nobody waits for what will not happen
    assert "taken over" in mirror.trouble
    assert not remote.exists("a.txt")
    tenure.close()
    assert not tenure.released and len(lost) == 1


def test_a_driver_that_slept_asks_before_it_uploads(remote, begin, tmp_path, monkeypatch):
    tenure = begin()
    tenure._closed.set()  # its thread does not get to it
    tenure._thread.join()
    tenure._closed.clear()
    other = Remote.at(remote.url, MemoryFileSystem())
    Lease.take(other, claim_of_this_process(), own=tenure._lease.claim.token)
    (tmp_path / "a.txt").write_text("mine")
    tenure._renewed = time.monotonic(), time.time() - TERM  # by the clock on the wall: the other one stands still then
    with pytest.raises(TakenOver), tenure.turn():
        raise AssertionError
    assert "was taken over" in tenure.loss


def test_renewals_and_uploads_take_turns_where_they_must(remote, begin):
    tenure = begin()
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        with tenure.turn():
            remote.write("big", b"x" * 1000)
    assert renewals(remote) >= 3 and not tenure.loss
