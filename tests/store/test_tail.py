"""A log read as it grows: nothing twice, nothing left out, nothing half."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core import events as ev
from luthier.core.errors import Conflict, CorruptLog
from luthier.core.terms import TrialId
from luthier.store.codec import decode
from luthier.store.jsonl import JsonlStore
from luthier.store.tail import Tail

T = TrialId("t0")


def report(seq: int) -> ev.Reported:
    return ev.Reported(T, 1, seq, {"loss": 1.0 / (seq + 1), "note": ("x", seq)})


def seqs(records) -> list[int]:
    return [event.seq for record in records for event in record.events]


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=12), st.integers(0, 5))
def test_looks_add_up_to_what_a_reader_sees(tmp_path_factory, batches, after):
    directory = tmp_path_factory.mktemp("log")
    tail, seen, end = Tail(directory, after), [], 0
    with JsonlStore(directory, fsync="never", segment_bytes=250) as store:
        for size, look in batches:
            end = store.append([report(end + i) for i in range(size)], end)
            if look:
                seen += list(tail.look())
                assert tail.end == end
        seen += list(tail.look())
        assert seqs(seen) == list(range(after, end))
        assert seen == list(store.read(after))
        assert list(tail.look()) == []


def test_only_what_is_new_is_read(tmp_path, monkeypatch):
    decoded: list[bytes] = []

    def counting(line, **more):
        decoded.append(line)
        return decode(line, **more)

    monkeypatch.setattr("luthier.store.tail.decode", counting)
    with JsonlStore(tmp_path) as store:
        store.append([report(0), report(1)], 0)
        tail = Tail(tmp_path)
        assert seqs(tail.look()) == [0, 1]
        store.append([report(2)], 2)
        assert seqs(tail.look()) == [2]
        assert len(decoded) == 2


def test_a_batch_that_is_being_written_comes_later(tmp_path):
    with JsonlStore(tmp_path) as store:
        store.append([report(0)], 0)
        (segment,) = (tmp_path / "events").iterdir()
        whole = segment.read_bytes()
        tail = Tail(tmp_path)
        for cut in (0, 1, len(whole) - 1):
            segment.write_bytes(whole[:cut])
            assert list(tail.look()) == []
        segment.write_bytes(whole)
        assert seqs(tail.look()) == [0]


def test_what_a_crash_left_is_passed_over(tmp_path):
    with JsonlStore(tmp_path) as store:
        store.append([report(0)], 0)
    tail = Tail(tmp_path)
    (segment,) = (tmp_path / "events").iterdir()
    with segment.open("ab") as file:
        file.write(b'{"v":1,"fir')
    assert seqs(tail.look()) == [0]
    with JsonlStore(tmp_path) as store:
        store.append([report(1)], 1)
        assert seqs(tail.look()) == [1]


def test_a_batch_that_was_taken_back_is_told(tmp_path):
    with JsonlStore(tmp_path) as store:
        store.append([report(0)], 0)
        store.append([report(1)], 1)
        tail = Tail(tmp_path)
        assert seqs(tail.look()) == [0, 1]
        (segment,) = (tmp_path / "events").iterdir()
        lines = segment.read_bytes().splitlines(keepends=True)
        segment.write_bytes(lines[0])
        with pytest.raises(Conflict, match="shorter"):
            list(tail.look())


def test_damage_is_told_with_its_line(tmp_path):
    with JsonlStore(tmp_path) as store:
        store.append([report(0)], 0)
        tail = Tail(tmp_path)
        list(tail.look())
        store.append([report(1)], 1)
        store.append([report(2)], 2)
        (segment,) = (tmp_path / "events").iterdir()
        lines = segment.read_bytes().splitlines(keepends=True)
        segment.write_bytes(b"".join([lines[0], b"{nonsense}\n", lines[2]]))
        with pytest.raises(CorruptLog, match="line 2: not a record"):
            list(tail.look())
        segment.write_bytes(b"".join([lines[0], lines[2]]))
        with pytest.raises(CorruptLog, match="line 2: events 1 to 1 are missing"):
            list(tail.look())


def test_a_missing_segment_is_told(tmp_path):
    with JsonlStore(tmp_path, segment_bytes=1) as store:
        tail = Tail(tmp_path)
        for i in range(3):
            store.append([report(i)], i)
        (tmp_path / "events" / "events-000000000001.jsonl").unlink()
        with pytest.raises(CorruptLog, match="events 1 to 1 are missing"):
            list(tail.look())
