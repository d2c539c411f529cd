from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from luthier.core import events as ev
from luthier.core.errors import BadArgument, Conflict, CorruptLog, NewerFormat, NotStorable, StoreFailed
from luthier.core.terms import TrialId
from luthier.store.jsonl import JsonlStore
from luthier.store.segments import lines
from luthier.testing.stores import T0
from tests.store.logs import grow, names, report, segment, seqs

# -- files -----------------------------------------------------------------------------------------------------------


def test_one_line_per_batch_that_any_json_reader_can_read(tmp_path):
    with JsonlStore(tmp_path, clock=lambda: 12.5) as store:
        store.append([report(0), report(1)], after=0)
        store.append([ev.Stalled()], after=2)
    assert names(tmp_path) == ["events-000000000000.jsonl"]
    first, second = map(json.loads, segment(tmp_path).read_text().splitlines())
    assert (first["v"], first["first"], first["at"], len(first["events"])) == (2, 0, 12.5, 2)
    assert second["events"] == [{"is": "Stalled"}]


def test_opening_alone_makes_no_segment(tmp_path):
    JsonlStore(tmp_path).close()
    assert names(tmp_path) == []
    grow(tmp_path, 1)
    JsonlStore(tmp_path).close()
    assert len(names(tmp_path)) == 1


def test_a_writer_that_comes_later_begins_a_segment_of_its_own(tmp_path):
    grow(tmp_path, 3)
    before = segment(tmp_path).read_bytes()
    grow(tmp_path, 2, after=3)
    assert names(tmp_path) == ["events-000000000000.jsonl", "events-000000000003.jsonl"]
    assert segment(tmp_path).read_bytes() == before
    assert seqs(tmp_path) == [0, 1, 2, 3, 4]


def test_a_full_segment_is_followed_by_another(tmp_path):
    grow(tmp_path, 50, segment_bytes=1000)
    assert 3 < len(names(tmp_path)) < 30
    assert all(path.stat().st_size < 1000 + 200 for path in (tmp_path / "events").iterdir())
    for after in range(51):
        assert seqs(tmp_path, after) == list(range(after, 50))


def test_reading_late_events_opens_late_segments_only(tmp_path):
    grow(tmp_path, 50, segment_bytes=1000)
    segment(tmp_path, 0).write_bytes(b"rubbish\nrubbish\n")
    assert seqs(tmp_path, 45) == [45, 46, 47, 48, 49]
    with pytest.raises(CorruptLog):
        seqs(tmp_path)


def test_a_reader_makes_and_writes_nothing(tmp_path):
    store = JsonlStore(tmp_path / "nowhere", readonly=True)
    assert list(store.read()) == []
    with pytest.raises(StoreFailed, match="read only"):
        store.append([report(0)], after=0)
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_a_relative_directory_stays_the_same_when_the_process_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with JsonlStore("here", segment_bytes=1) as store:
        store.append([report(0)], after=0)
        monkeypatch.chdir("/")
        store.append([report(1)], after=1)
    assert seqs(tmp_path / "here") == [0, 1]


def test_a_closed_store_says_so(tmp_path):
    store = JsonlStore(tmp_path)
    store.close()
    with pytest.raises(StoreFailed, match="is closed"):
        store.append([report(0)], after=0)


def test_what_cannot_be_stored_leaves_no_trace(tmp_path):
    with JsonlStore(tmp_path) as store:
        store.append([report(0)], after=0)
        with pytest.raises(NotStorable, match=r"metrics\['lock'\]"):
            store.append([report(1), ev.Reported(T0, 1, 2, {"lock": threading.Lock()})], after=1)
        assert store.append([report(1)], after=1) == 2
    assert seqs(tmp_path) == [0, 1]


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(BadArgument, match=r"fsync='sometimes'.*'always'"):
        JsonlStore(tmp_path, fsync="sometimes")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match="cannot be made"):
        JsonlStore(tmp_path / "file")


def test_pickles_can_be_left_alone(tmp_path):
    with JsonlStore(tmp_path) as store:
        store.append([ev.Enqueued({"f": lambda: 1})], after=0)
    (record,) = JsonlStore(tmp_path, readonly=True, unpickle=False).read()
    assert "not loaded" in repr(record.events[0])


# -- torn and damaged ------------------------------------------------------------------------------------------------

TAILS = [b'{"v":1,"first":3,"at":1.0,"ev', b"\0" * 700, b"\0" * 20 + b"\n", b'{"v":1,\n', b"x", b"\n"]
WHOLE_BUT_FOR_ITS_END = b'{"v":1,"first":3,"at":1.0,"events":[{"is":"Stalled"}]}'


@pytest.mark.parametrize("tail", [*TAILS, WHOLE_BUT_FOR_ITS_END])
def test_a_torn_end_is_told_and_does_not_count(tmp_path, tail):
    grow(tmp_path, 3)
    path = segment(tmp_path)
    path.write_bytes(path.read_bytes() + tail)
    reader = JsonlStore(tmp_path, readonly=True)
    assert sum(len(record.events) for record in reader.read()) == 3
    (torn,) = reader.torn
    assert (torn.path, torn.size, torn.line) == (path, len(tail), 4)
    assert f"last {len(tail)} bytes" in str(torn)
    with JsonlStore(tmp_path) as store:
        assert [t.size for t in store.torn] == [len(tail)]
        with pytest.raises(Conflict, match="holds 3 events, not 4"):
            store.append([report(4)], after=4)
        assert store.append([report(3)], after=3) == 4
        assert [record.first for record in store.read()] == [0, 1, 2, 3]
        assert [t.size for t in store.torn] == [len(tail)]
    assert path.read_bytes().endswith(tail)


@pytest.mark.parametrize("tail", TAILS)
def test_a_segment_of_nothing_but_a_torn_line_is_moved_out_of_the_way(tmp_path, tail):
    grow(tmp_path, 3)
    (tmp_path / "events" / "events-000000000003.jsonl").write_bytes(tail)
    assert seqs(tmp_path) == [0, 1, 2]
    grow(tmp_path, 1, after=3)
    assert seqs(tmp_path) == [0, 1, 2, 3]
    assert (tmp_path / "events" / "events-000000000003.torn").read_bytes() == tail


def test_a_segment_that_a_crash_left_empty_is_used(tmp_path):
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "events-000000000000.jsonl").touch()
    grow(tmp_path, 2)
    assert seqs(tmp_path) == [0, 1]
    assert names(tmp_path) == ["events-000000000000.jsonl"]


def test_cutting_a_log_anywhere_leaves_its_beginning(tmp_path):
    grow(tmp_path, 3)
    path = segment(tmp_path)
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        assert seqs(tmp_path) == list(range(whole[:size].count(b"\n")))


@pytest.mark.parametrize("damage", [b"\0\0\0", b"", b"{}", b'{"v":1,"first":1,"at":1.0,"events":[{"is":"Unheard"}]}'])
def test_damage_in_the_middle_is_an_error_with_file_and_line(tmp_path, damage):
    grow(tmp_path, 3)
    path = segment(tmp_path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], damage, lines[2]]) + b"\n")
    with pytest.raises(CorruptLog, match=r"events-000000000000\.jsonl, line 2: not a record"):
        seqs(tmp_path)


def test_a_whole_line_that_makes_no_sense_is_damage_even_at_the_end(tmp_path):
    grow(tmp_path, 1)
    with segment(tmp_path).open("ab") as file:
        file.write(b'{"v":1,"first":1,"at":1.0,"events":[{"is":"Unheard"}]}\n')
    with pytest.raises(CorruptLog, match="line 2"):
        seqs(tmp_path)


@pytest.mark.parametrize(("order", "words"), [([0, 2], "events 1 to 1 are missing"), ([0, 0, 1], "are there twice")])
def test_gaps_and_repetitions_are_damage(tmp_path, order, words):
    grow(tmp_path, 3)
    path = segment(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[i] for i in order))
    for look in (lambda: seqs(tmp_path), lambda: JsonlStore(tmp_path)):
        with pytest.raises(CorruptLog, match=words):
            look()


@pytest.mark.parametrize("gone", [0, 1])
def test_a_segment_that_is_gone_is_missed(tmp_path, gone):
    for i in range(3):
        grow(tmp_path, 1, after=i)
    segment(tmp_path, gone).unlink()
    with pytest.raises(CorruptLog, match=f"events {gone} to {gone} are missing"):
        seqs(tmp_path)
    assert seqs(tmp_path, 2) == [2]


def test_a_segment_that_lost_its_end_is_missed(tmp_path):
    grow(tmp_path, 3)
    grow(tmp_path, 1, after=3)
    path = segment(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CorruptLog, match="events 2 to 2 are missing"):
        seqs(tmp_path)


def test_a_newer_log_is_refused(tmp_path):
    grow(tmp_path, 1)
    with segment(tmp_path).open("ab") as file:
        file.write(b'{"v":9,"first":1,"at":1.0,"events":[]}\n')
    for look in (lambda: seqs(tmp_path), lambda: JsonlStore(tmp_path)):
        with pytest.raises(NewerFormat, match="version 9"):
            look()
    grow(tmp_path / "other", 1)  # the failed opening let go of its lock
    segment(tmp_path).write_bytes(b"")
    JsonlStore(tmp_path).close()


# -- one writer, many readers ----------------------------------------------------------------------------------------


def test_a_second_writer_is_told_who_the_first_one_is(tmp_path):
    reader = JsonlStore(tmp_path, readonly=True)
    assert reader.writer() is None
    store = JsonlStore(tmp_path)
    with pytest.raises(Conflict, match=f"written by process {os.getpid()} on "):
        JsonlStore(tmp_path)
    who = reader.writer()
    assert who is not None
    assert who.pid == os.getpid()
    store.append([report(0)], after=0)
    store.close()
    assert reader.writer() is None
    JsonlStore(tmp_path).close()


def test_a_store_that_nobody_holds_any_more_lets_go(tmp_path):
    JsonlStore(tmp_path).append([report(0)], after=0)
    grow(tmp_path, 1, after=1)
    assert seqs(tmp_path) == [0, 1]


def test_a_forked_child_neither_writes_nor_holds_the_lock(tmp_path):
    # In a process of its own: forking a test run with threads in it is no clean experiment.
    code = """if True:
        import os, sys, time
        from luthier.core.events import Stalled
        from luthier.core.errors import StoreFailed
        from luthier.store.jsonl import JsonlStore
        store = JsonlStore(sys.argv[1], fsync="never")
        store.append([Stalled()], after=0)
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(1), os.close(2)                        # the test waits for their end
            try:
                store.append([Stalled()], after=1)
            except StoreFailed as error:
                os.write(told, str(error).encode())
            store.close()
            time.sleep(60)
            os._exit(0)
        text = os.read(ready, 1000).decode()
        assert "forked from" in text, text
        assert store.append([Stalled()], after=1) == 2      # the parent's lock and file are as they were
        assert JsonlStore(sys.argv[1], readonly=True).writer().pid == os.getpid()
        print(child, flush=True)
        os.kill(os.getpid(), 9)                             # and the child that is still there holds nothing
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    child = int(done.stdout or 0)
    assert child, done.stderr
    try:
        with JsonlStore(tmp_path) as store:
            assert store.append([ev.Stalled()], after=2) == 3
    finally:
        os.kill(child, 9)


def test_a_line_that_is_finished_while_it_is_read_is_left_for_the_next_time(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    looking = lines(path)
    assert next(looking) == (1, b"one\n", False)
    with path.open("ab") as file:
        file.write(b"o\nthree\n")
    assert list(looking) == [(2, b"tw", True)]
    assert [line for _, line, _ in lines(path)] == [b"one\n", b"two\n", b"three\n"]


def test_readers_see_only_whole_batches_while_somebody_writes(tmp_path):
    store = JsonlStore(tmp_path, segment_bytes=20_000)
    done = threading.Event()

    def write():
        end = 0
        while not done.is_set():
            end = store.append([report(end), report(end + 1), ev.Enqueued({"x": "y" * 3000})], after=end)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen, deadline = 0, time.monotonic() + 1.0
        while time.monotonic() < deadline or seen < 30:
            records = list(JsonlStore(tmp_path, readonly=True).read())
            assert [record.first for record in records] == list(range(0, 3 * len(records), 3))
            assert all(len(record.events) == 3 for record in records)
            assert len(records) >= seen
            seen = len(records)
    finally:
        done.set()
        writer.join()
        store.close()


def test_many_threads_may_use_one_store(tmp_path):
    wins = []
    with JsonlStore(tmp_path) as store:

        def race(me):
            for end in range(200):
                try:
                    store.append([ev.Paused(TrialId(me))], after=end)
                except Conflict:
                    continue
                wins.append(end)

        threads = [threading.Thread(target=race, args=(str(i),)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(1 for _ in store.read()) == len(wins) == len(set(wins))
