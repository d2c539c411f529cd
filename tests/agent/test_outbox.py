"""What waits to be told: nothing is lost, nothing comes twice, whatever the server takes and when."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.outbox import Outbox
from luthier.agent.spool import Spool


def words(parts):
    return [part.told["is"] for part in parts]


def read(part):
    return json.loads(msgspec.json.encode(part.told))


@pytest.fixture
def outbox(tmp_path):
    return Outbox("r1", 2, tmp_path, lambda urgent: None)


# -- the spool ---------------------------------------------------------------------------------------------------------
@given(st.lists(st.one_of(st.binary(min_size=0, max_size=60), st.integers(0, 5)), max_size=60), st.integers(1, 100))
def test_a_spool_is_a_queue(steps, room):
    with tempfile.TemporaryDirectory() as folder:
        spool, first = Spool(Path(folder) / "spool", room), 0
        model: list[tuple[float, bytes]] = []
        for step in steps:
            if isinstance(step, bytes):
                text = step.replace(b"\n", b"")
                assert spool.add(float(len(model)), text) == first + len(model)
                model.append((float(len(model)), text))
            else:
                front = list(spool.front(50))
                assert front == model[: len(front)] and bool(front) == bool(model)
                count = min(step, len(front))
                spool.drop(count)
                first += count
                del model[:count]
            assert (spool.first, len(spool), spool.next) == (first, len(model), first + len(model))
        spool.close()
        assert not (Path(folder) / "spool").exists()


def test_memory_is_bounded_and_the_file_goes(tmp_path):
    spool = Spool(tmp_path / "spool", room=1000)
    for i in range(1000):
        spool.add(float(i), b"x" * 99)
    assert (tmp_path / "spool").stat().st_size > 90_000
    assert len(spool._memory) <= 11
    for i in range(1000):
        assert next(iter(spool.front(1)))[0] == float(i)
        spool.drop(1)
    assert not (tmp_path / "spool").exists() and len(spool) == 0


# -- the outbox --------------------------------------------------------------------------------------------------------
def test_all_is_told_in_order_and_once(outbox):
    assert not outbox.waits
    outbox.started()
    outbox.row(1.0, {"loss": float("inf")})
    outbox.lines([(2.0, "out", "hello"), (3.0, "err", "\udcff")])
    outbox.summary({"best": 1})
    outbox.exited("finished", 0, "")
    parts = outbox.parts(10_000)
    assert words(parts) == ["started", "summary", "rows", "output", "exited"]
    assert read(parts[2]) == {
        "is": "rows", "run": "r1", "attempt": 2, "first": 0, "at": [1.0],
        "rows": [{"loss": {"$": "float", "v": "inf"}}],
    }  # fmt: skip
    assert read(parts[3])["lines"][0] == [2.0, "out", "hello"]
    for part in parts:
        outbox.taken(part)
    assert outbox.told and not outbox.waits and not outbox.parts(10_000)[:-1]


def test_the_end_comes_last(outbox):
    for i in range(10):
        outbox.row(0.0, {"text": "x" * 100, "i": i})
    outbox.exited("finished", 0, "")
    seen = []
    while not outbox.told:
        parts = outbox.parts(300)
        assert len(parts) <= 2
        for part in parts:
            seen += [row["i"] for row in read(part).get("rows", ())]
            outbox.taken(part)
    assert seen == list(range(10))


def test_what_comes_meanwhile_stays(outbox):
    outbox.row(0.0, {"i": 0})
    outbox.summary({"a": 1})
    parts = outbox.parts(1000)
    outbox.row(0.0, {"i": 1})
    outbox.summary({"b": 2})
    for part in parts:
        outbox.taken(part)
    again = outbox.parts(1000)
    assert read(again[0])["values"] == {"a": 1, "b": 2}
    assert read(again[1])["first"] == 1 and read(again[1])["rows"] == [{"i": 1}]


def test_rows_wait_for_their_checkpoints(outbox):
    outbox.row(0.0, {"i": 0})
    number = outbox.row(0.0, {"i": 1, "_checkpoint": "c.zip"}, uploading=True)
    outbox.row(0.0, {"i": 2})
    outbox.exited("finished", 0, "")
    (part,) = outbox.parts(1000)
    assert read(part)["rows"] == [{"i": 0}]
    outbox.taken(part)
    assert outbox.parts(1000) == [] and not outbox.waits
    outbox.uploaded(number, wrong="no room")  # which is said although the process has ended
    rows, output, end = outbox.parts(1000)
    assert read(rows)["rows"] == [{"i": 1}, {"i": 2}] and end.told["is"] == "exited"
    assert read(output)["lines"][0][1:] == ["err", "no room"]


def test_nothing_is_said_after_the_end(outbox):
    outbox.exited("left", None, "")
    assert outbox.row(0.0, {"late": 1}) == -1
    outbox.lines([(0.0, "out", "late")])
    assert words(outbox.parts(1000)) == ["exited"]


def test_who_leaves_does_not_say_so_for_each_run(outbox):
    outbox.lines([(0.0, "out", "last words")])
    outbox.exited("left", None, "")
    assert not outbox.withdraw()
    (part,) = outbox.parts(1000, leaving=True)
    assert part.told["is"] == "output"
    outbox.taken(part)
    assert outbox.withdraw() and outbox.told
