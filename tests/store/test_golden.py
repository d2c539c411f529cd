"""Logs that were written once are read for good."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from luthier.core import events as ev
from luthier.store import codec
from luthier.store.base import Record
from luthier.testing.stores import GROWN, ONE_OF_EACH, T0

GOLDEN = Path(__file__).parents[1] / "golden"
TODAY = 2

HOSTILE = ev.Reported(
    T0,
    2,
    7,
    {
        "nan": math.nan,
        "inf": math.inf,
        "low": -math.inf,
        "none": None,
        "null": "null",
        "big": 2**200,
        "huge": 1 << 3400,
        "tuple": (1, (2.5, "x")),
        "set": {"b", "a"},
        "frozenset": frozenset([1]),
        "keys": {1: "int", (1, 2): "tuple", None: "none", False: "bool", 2.5: "float"},
        "tag": {"$": "float", "v": "nan"},
        "bytes": b"\x00\xff",
        "bytearray": bytearray(b"ab"),
        "surrogate": "a\udc80é",
        "array": np.array([[1.5, math.nan]], dtype="<f4"),
        "path": PurePosixPath("/models/a"),
        "nested": {"a": [{"b": {"c": math.nan}}]},
    },
)


def records():
    end = 0
    for i, event in enumerate(ONE_OF_EACH):
        yield Record(end, 1_750_000_000.25 + i, (event,))
        end += 1
    yield Record(end, 1_750_000_100.0, (*ONE_OF_EACH[:3], HOSTILE))


def lines(version):
    return (GOLDEN / f"events-v{version}.jsonl").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("version", [1, 2])
def test_a_log_of_any_version_is_read_as_it_was_meant(version):
    read = [codec.decode(line) for line in lines(version)]
    assert [codec.extent(line) for line in lines(version)] == [(r.first, r.end) for r in read]
    wanted = list(records())
    assert read[:-1] == wanted[:-1]
    assert (read[-1].first, read[-1].at, read[-1].events[:-1]) == (17, 1_750_000_100.0, ONE_OF_EACH[:3])
    event = read[-1].events[-1]
    assert isinstance(event, ev.Reported)
    assert repr(event) == repr(HOSTILE).replace("{'b', 'a'}", repr(event.metrics["set"])).replace(
        "{'a', 'b'}", repr(event.metrics["set"])
    )
    assert event.metrics["set"] == {"a", "b"}
    assert event.metrics["array"].dtype == np.dtype("<f4")


def test_a_log_is_written_as_it_was():
    pickle = b'"type":"pathlib.PurePosixPath"'  # whose bytes are Python's business
    for record, line in zip(records(), lines(TODAY), strict=True):
        if pickle not in line:
            assert codec.encode(record) == line
    assert sum(pickle in line for line in lines(TODAY)) == 1


def test_fields_that_came_later_are_written_and_read():
    grown = [Record(0, 1_750_000_000.25, GROWN[:1]), Record(1, 1_750_000_000.5, GROWN[1:])]
    for record, line in zip(grown, (GOLDEN / "grown-v2.jsonl").read_bytes().splitlines(keepends=True), strict=True):
        assert codec.encode(record) == line
        assert codec.decode(line) == record
