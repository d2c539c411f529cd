"""The mirror: the order of what it uploads, and that it tries again."""

from __future__ import annotations

import threading

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from luthier.store.backoff import Backoff
from luthier.store.journal import FILE_NAME, Journal
from luthier.store.mirror import Mirror, Round, Upload
from luthier.store.remote import Remote


class Told(MemoryFileSystem):  # type: ignore[misc]
    """Notes the order of what is done to it, and fails as often as it is told to."""

    cachable = False

    def __init__(self):
        super().__init__()
        self.done, self.fail = [], {}

    def _note(self, verb, path):
        name = path.rpartition("here/")[2]
        if self.fail.get(name, 0):
            self.fail[name] -= 1
            raise self.fail.get("error", OSError("no"))
        self.done.append((verb, name))

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        self._note("write", path)
        super().pipe_file(path, value, mode, **kwargs)

    def put_file(self, lpath, rpath, **kwargs):
        self._note("put", rpath)
        super().put_file(lpath, rpath, **kwargs)

    def rm_file(self, path):
        self._note("delete", path)
        super().rm_file(path)


@pytest.fixture
def remote(tmp_path):
    made = Remote.at(f"memory://{tmp_path.name}/here", Told())
    yield made
    made.filesystem.store.clear()


@pytest.fixture
def work(tmp_path):
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "a.jsonl").write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / "card").write_bytes(b"{}")
    (tmp_path / "weights").write_bytes(b"w")
    released = []
    upload = Upload(
        "t/c", ((str(tmp_path / "weights"), "t/c/weights"),), ("t/.c.whole", b"{}"), lambda: released.append(1)
    )
    return Round((("events/a.jsonl", 8),), (upload,), (("t/b", ("t/.b.whole",)),), ("card",)), released


def test_checkpoints_then_the_log_then_deletions(tmp_path, remote, work):
    round_, released = work
    remote.write("t/b/weights", b"old")
    remote.write("t/.b.whole", b"{}")
    remote.filesystem.done.clear()
    mirror = Mirror(str(tmp_path), remote)
    mirror.journal.note([("t/b/", 0, 0)])
    mirror.give(round_)
    assert mirror.close(10.0)
    assert remote.filesystem.done == [
        ("put", "t/c/weights"),
        ("write", "t/.c.whole"),
        ("write", "events/a.jsonl"),
        ("delete", "t/.b.whole"),
        ("delete", "t/b/weights"),
        ("put", "card"),
    ]
    assert remote.read("events/a.jsonl") == b"one\ntwo\n"  # as far as was said, and not further
    assert released == [1]


def test_what_is_up_is_not_uploaded_again(tmp_path, remote, work):
    round_, _ = work
    for _ in range(2):
        mirror = Mirror(str(tmp_path), remote)
        mirror.give(round_)
        assert mirror.close(10.0)
    assert len(remote.filesystem.done) == 4
    (tmp_path / "card").write_bytes(b"{more}")
    mirror = Mirror(str(tmp_path), remote)
    mirror.give(Round((("events/a.jsonl", 14),), (), (), ("card",)))
    assert mirror.close(10.0)
    assert remote.filesystem.done[4:] == [("write", "events/a.jsonl"), ("put", "card")]


def test_the_log_waits_for_the_checkpoint(tmp_path, remote, work):
    round_, _ = work
    remote.filesystem.fail["t/.c.whole"] = 4
    mirror = Mirror(str(tmp_path), remote, backoff=Backoff(first=0.001, longest=0.01))
    mirror.give(round_)
    assert mirror.wait(10.0)
    names = [name for _, name in remote.filesystem.done]
    assert names.index("t/.c.whole") < names.index("events/a.jsonl")
    assert mirror.trouble == ""
    mirror.close()


def test_it_tells_of_trouble_once_and_of_its_end(tmp_path, remote, work, caplog):
    remote.filesystem.fail["events/a.jsonl"] = 6
    mirror = Mirror(str(tmp_path), remote, backoff=Backoff(first=0.001, longest=0.01))
    mirror.give(work[0])
    assert mirror.wait(10.0)
    mirror.close()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "fail (OSError: no)" in told[0] and str(tmp_path) in told[0]
    assert "work again" in told[1]


def test_closing_does_not_wait_longer_than_said_and_says_how_it_goes(tmp_path, remote, work):
    remote.filesystem.fail["events/a.jsonl"] = 1 << 30
    mirror = Mirror(str(tmp_path), remote, backoff=Backoff(first=0.001, longest=0.01))
    mirror.give(work[0])
    said: list[str] = []
    mirror.hurry()
    assert not mirror.wait(0.3, said.append, every=0.05)
    assert "2 files to go; the last try failed (OSError: no)" in said[-1]
    assert not mirror.close()
    assert work[1] == [1] or _soon(lambda: work[1] == [1])  # what was held is let go


def test_the_end_does_not_wait_for_who_refuses(tmp_path, remote, work):
    remote.filesystem.fail.update({"events/a.jsonl": 1 << 30, "error": PermissionError("Access Denied")})
    mirror = Mirror(str(tmp_path), remote, backoff=Backoff(first=0.001, longest=0.01))
    mirror.give(work[0])
    assert not mirror.close(timeout=100.0)  # the test's own time limit would notice
    assert "Access Denied" in mirror.trouble


def test_what_may_not_be_deleted_stays(tmp_path, remote, caplog):
    remote.write("t/.b.whole", b"")
    remote.filesystem.fail.update({"t/.b.whole": 1, "error": PermissionError("no deleting")})
    mirror = Mirror(str(tmp_path), remote)
    mirror.journal.note([("t/b/", 0, 0)])
    mirror.give(Round(gone=(("t/b", ("t/.b.whole",)),)))
    assert mirror.close(10.0)
    assert "cannot be deleted" in caplog.text


def test_a_journal_cut_short_by_a_crash(tmp_path):
    Journal(str(tmp_path)).note([("a", 1, 2), ("b", 3, 4)])
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes()[:-3])
    journal = Journal(str(tmp_path))
    assert journal.has("a", 1, 2) and "b" not in journal
    journal.strike(["a"])
    assert journal.names() == []


def test_waits_grow_to_a_limit():
    backoff = Backoff(first=0.5, longest=30.0, jitter=0.5)
    assert [backoff.delay(n, 1.0) for n in (1, 2, 3, 7, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert backoff.delay(3, 0.0) == 1.0


def _soon(condition):
    for _ in range(200):
        if condition():
            return True
        threading.Event().wait(0.01)
    return False


def test_in_the_end_what_somebody_wrote_over_the_log_is_mended(tmp_path, remote, work):
    """A driver that was taken over from may have been uploading when it was."""
    for last in (False, True):
        mirror = Mirror(str(tmp_path), remote)
        mirror.give(Round(work[0].segments, last=last))
        assert mirror.close(10.0)
        assert remote.read("events/a.jsonl") == b"one\ntwo\n"
        remote.write("events/a.jsonl", b"one\ntwo\nof another\n")
    mirror = Mirror(str(tmp_path), remote)
    mirror.give(work[0])
    assert mirror.close(10.0)
    assert remote.read("events/a.jsonl").endswith(b"of another\n")  # nobody looks each time
