from __future__ import annotations

import datetime as dt
import enum
import fractions
import json
import math
import pathlib
import threading
import timeit
import zlib
from collections import Counter, OrderedDict, defaultdict
from typing import NamedTuple, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core import events as ev
from luthier.core.errors import CorruptLog, DamagedRecord, NewerFormat, NotStorable
from luthier.core.terms import Label, Outcome, Status, Then, WorkerId
from luthier.store import codec
from luthier.store.base import Record
from luthier.store.values import Opaque, from_json, to_json
from luthier.testing.stores import ONE_OF_EACH, T0, W0

# -- equality that knows NaN, types and arrays -----------------------------------------------------------------------


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, msgspec.Struct):
        return all(same(getattr(a, f), getattr(b, f)) for f in a.__struct_fields__)
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a.items(), b.items(), strict=True))
    if isinstance(a, (set, frozenset)):
        return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)
    return a == b


def back(value):
    record = Record(0, 1.0, (ev.Enqueued({"x": value}),))
    line = codec.encode(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    (event,) = codec.decode(line).events
    assert isinstance(event, ev.Enqueued)
    return event.config["x"]


class Colour(enum.Enum):
    RED = "r"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: int


text = st.text(alphabet=st.characters(categories=None), max_size=8)  # lone surrogates included
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    text,
    st.binary(max_size=5),
    st.sampled_from(["$", "null", "$float", '"$":', Colour.RED, Level.LOW, pathlib.Path("a/b"), 10**900]),
    st.datetimes(),
    st.complex_numbers(allow_nan=False),
)
hashable = st.recursive(scalars, lambda s: st.tuples(s, s) | st.frozensets(s, max_size=3), max_leaves=4)
keys = st.sampled_from(["$", "v", "is", "loss", "a/b"]) | text
values = st.recursive(
    scalars,
    lambda s: st.one_of(
        st.lists(s, max_size=3),
        st.lists(s, max_size=3).map(tuple),
        st.sets(hashable, max_size=3),
        st.dictionaries(keys, s, max_size=3),
        st.dictionaries(hashable, s, max_size=3),
    ),
    max_leaves=8,
)
free = st.dictionaries(keys, values, max_size=4) | st.dictionaries(hashable, values, max_size=2)
amounts = st.dictionaries(text, st.floats(allow_nan=False) | st.integers(0, 8).map(float), max_size=3)
many = st.lists(text, max_size=3).map(tuple)
names, counts, refs = text, st.integers(0, 2**40), st.none() | text
AN_EVENT: dict[type, tuple[st.SearchStrategy[object], ...]] = {
    ev.WorkerJoined: (names, amounts),
    ev.WorkerLost: (names,),
    ev.Reported: (names, counts, counts, free, refs),
    ev.Exited: (names, counts, st.sampled_from(Outcome), text, refs),
    ev.Enqueued: (free,),
    ev.StopRequested: (text,),
    ev.Reopened: (st.none() | counts, many, st.booleans(), many, many, st.booleans(), text),
    ev.Proposed: (names, counts, free, amounts, st.builds(Label, names, names, names), st.booleans()),
    ev.SpaceExhausted: (text,),
    ev.Stalled: (),
    ev.Launched: (names, counts, names, free, amounts, refs),
    ev.Halted: (names, counts, st.sampled_from(Then), text, st.none() | free, refs, st.none() | amounts),
    ev.Requeued: (names, free, refs, amounts),
    ev.Paused: (names,),
    ev.Ended: (names, st.sampled_from(Status), text),
    ev.Forgotten: (names, names),
}
an_event = st.one_of([st.builds(kind, *fields) for kind, fields in AN_EVENT.items()])


@given(first=st.integers(0, 2**50), at=st.floats(0, 1e11), events=st.lists(an_event, min_size=1, max_size=4))
def test_every_record_comes_back_as_it_was(first, at, events):
    record = Record(first, at, tuple(events))
    line = codec.encode(record)
    assert line.index(b"\n") == len(line) - 1
    assert same(codec.decode(line), record)
    assert codec.extent(line) == (first, first + len(events))
    assert codec.sound(line)


@given(events=st.lists(an_event, min_size=1, max_size=3), data=st.data())
def test_what_was_cut_short_is_never_taken_for_a_record(events, data):
    line = codec.encode(Record(0, 0.0, tuple(events))).rstrip(b"\n")
    cut = line[: data.draw(st.integers(0, len(line) - 1))]
    assert not codec.sound(cut)
    for read in (codec.decode, codec.extent):
        with pytest.raises(DamagedRecord):
            read(cut)


@given(events=st.lists(an_event, min_size=1, max_size=3), data=st.data())
def test_a_byte_that_changed_is_noticed_wherever_it_is(events, data):
    line = bytearray(codec.encode(Record(0, 0.0, tuple(events))).rstrip(b"\n"))
    line[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
    assert not codec.sound(bytes(line))
    for read in (codec.decode, codec.extent):
        with pytest.raises(DamagedRecord):
            read(bytes(line))


@given(events=st.lists(an_event, min_size=1, max_size=3))
def test_the_seal_is_for_anybody_to_check(events):
    line = codec.encode(Record(0, 0.0, tuple(events)))
    text, _, seal = line.rpartition(b',"crc":')
    assert json.loads(seal[:-2]) == f"{zlib.crc32(text):08x}"
    assert line.endswith(b"}\n")


@given(value=values)
def test_values_come_back_as_they_were(value):
    assert same(back(value), value)


@given(value=values)
def test_a_log_whose_pickles_were_not_loaded_can_be_written_again(value):
    words = to_json({"x": value})
    assert to_json(from_json(words, unpickle=False)) == words


def test_every_kind_of_event_is_tried():
    assert set(AN_EVENT) == set(get_args(ev.Event)) == {type(event) for event in ONE_OF_EACH}


@pytest.mark.parametrize("bits", [64, 3299, 3300, 14_285, 14_286, 100_000])
def test_integers_of_any_length_come_back(bits):
    for value in (1 << bits, -(1 << bits) - 1, (1 << bits) - 1):
        assert back(value) == value


# -- one by one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.float64(1.5), 1.5),
        (np.float32(0.5), 0.5),
        (np.float16("nan"), math.nan),
        (np.int64(3), 3),
        (np.uint8(255), 255),
        (np.bool_(1), True),
        (np.str_("adam"), "adam"),
        ({np.int64(3): np.float64("inf")}, {3: math.inf}),
        ((np.int32(1), 2), (1, 2)),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (Counter("aab"), {"a": 2, "b": 1}),
    ],
)
def test_numpy_scalars_and_standard_dicts_become_plain(given, wanted):
    assert same(back(given), wanted)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.arange(6, dtype="f4").reshape(2, 3).T,
        np.array([math.nan, math.inf]),
        np.array(7),
        np.zeros((0, 3), dtype=bool),
        np.array([1, 2], dtype=">i2"),
        np.array(["a", "bc"]),
        np.array([1 + 2j]),
        np.array(["2020-01-01"], dtype="M8[D]"),
    ],
)
def test_arrays_come_back_and_can_be_written_to(array):
    got = back(array)
    assert same(got, array)
    assert got.flags.writeable


def test_arrays_of_objects_and_of_records_come_back():
    objects = np.array([{"a": 1}, None], dtype=object)
    assert back(objects).tolist() == objects.tolist()
    records = np.array([(1, 2.0)], dtype=[("n", "i4"), ("x", "f8")])
    assert back(records).dtype == records.dtype
    assert back(np.datetime64("2020-01-01")) == np.datetime64("2020-01-01")


@pytest.mark.parametrize(
    "value",
    [
        Point(1, 2),
        Colour.RED,
        Level.LOW,
        {Level.LOW: 1},
        pathlib.PurePosixPath("a/b"),
        dt.timedelta(seconds=5),
        fractions.Fraction(1, 3),
        range(5),
        int,
        bytearray(b"x"),
        slice(1, 2),
    ],
)
def test_objects_keep_their_class(value):
    got = back(value)
    assert got == value
    assert type(got) is type(value)


def test_functions_of_the_users_script_come_back():
    assert back(lambda x: x + 1)(2) == 3


@pytest.mark.parametrize(
    "value", [{"$": "float", "v": "nan"}, {"$": 1}, {"$": {"$": {}}}, {"v": {"$": "pickle"}}, {"$": "dict", "v": []}]
)
def test_a_users_dict_that_looks_like_a_tag_is_no_tag(value):
    assert same(back(value), value)
    record = Record(0, 0.0, (ev.Reported(T0, 1, 0, value),))
    assert codec.decode(codec.encode(record)) == record


def test_equal_sets_are_written_alike():
    words = [f"w{i}" for i in range(40)]
    assert codec.encode(Record(0, 0.0, (ev.Enqueued({"s": set(words)}),))) == codec.encode(
        Record(0, 0.0, (ev.Enqueued({"s": {*words[::-1]}}),))
    )


def test_the_log_can_be_grepped():
    config = {"opt": pathlib.PurePosixPath("/models/a"), "when": dt.date(2020, 1, 2), "lr": math.nan, "t": (1, 2)}
    line = codec.encode(Record(0, 0.0, (ev.Enqueued(config | {"f": np.mean, "g": np.tanh}),)))
    for words in (b'"shows":"/models/a"', b'"shows":"2020-01-02"', b'"lr":{"$":"float","v":"nan"}', b'"v":[1,2]'):
        assert words in line
    for words in (b'"shows":"<function mean>"', b'"shows":"<function tanh>"'):  # of numpy's classes of functions
        assert words in line


@given(batches=st.lists(st.lists(an_event, min_size=1, max_size=3), min_size=2, max_size=4))
def test_a_buffer_that_is_used_again_holds_nothing_of_before(batches):
    buffer = bytearray()
    for events in batches:
        codec.encode_into(buffer, 7, 1.5, tuple(events))
        assert buffer == codec.encode(Record(7, 1.5, tuple(events)))


def test_a_buffer_that_a_batch_failed_in_can_be_used_again():
    buffer = bytearray()
    broken = ev.Enqueued({"text": "long" * 1000, "lock": threading.Lock()})
    with pytest.raises(NotStorable):
        codec.encode_into(buffer, 0, 0.0, (broken,))
    codec.encode_into(buffer, 0, 0.0, (ev.Stalled(),))
    assert buffer == codec.encode(Record(0, 0.0, (ev.Stalled(),)))


def test_what_nobody_can_store_is_named():
    event = ev.Reported(T0, 1, 0, {"loss": 1.0, "model": {"parts": [1, {"lock": threading.Lock()}]}})
    with pytest.raises(NotStorable, match=r"Reported\.metrics\['model'\]\['parts'\]\[1\]\['lock'\] \(_thread\.lock\)"):
        codec.encode(Record(0, 0.0, (event,)))


def test_what_holds_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(NotStorable, match="nested too deeply, or holds itself"):
        codec.encode(Record(0, 0.0, (ev.Enqueued({"a": loop}),)))
    deep: dict[str, object] = {}
    for _ in range(10_000):
        deep = {"d": deep}
    with pytest.raises(NotStorable, match=r"Enqueued\.config\['d'\].*nested too deeply"):
        codec.encode(Record(0, 0.0, (ev.Enqueued(deep),)))


def test_what_is_nested_deeply_but_not_madly_comes_back():
    deep: object = math.nan
    for i in range(90):
        deep = {"d": deep} if i % 2 else [deep]
    assert same(back(deep), deep)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (ev.Reported(T0, 1, 0, 3.5), "Reported.metrics cannot be stored: it must be a dict, not 3.5"),  # type: ignore[arg-type]
        (ev.Proposed(T0, 1, {}, {"cpu": "two"}), "Proposed.resources cannot be stored: it must hold numbers"),  # type: ignore[dict-item]
        (ev.Reported(T0, 1, 0, {}, pathlib.Path("c")), "Reported.checkpoint cannot be stored"),  # type: ignore[arg-type]
    ],
)
def test_what_could_not_be_read_back_is_not_written(event, words):
    with pytest.raises(NotStorable, match=words):
        codec.encode(Record(0, 0.0, (event,)))


def test_a_resource_may_be_called_like_a_tag():
    record = Record(0, 0.0, (ev.WorkerJoined(W0, {"$": 1.0}),))
    assert codec.decode(codec.encode(record)) == record


def test_resources_may_be_numpys_or_without_end():
    record = Record(0, 0.0, (ev.WorkerJoined(W0, {"cpu": np.int64(2), "tokens": math.inf, "$": 1.0}),))  # type: ignore[dict-item]
    assert codec.decode(codec.encode(record)).events == (
        ev.WorkerJoined(W0, {"cpu": 2.0, "tokens": math.inf, "$": 1.0}),
    )


class _Gone:
    """Stands for a class that whoever reads the log does not have."""


def test_a_class_that_is_gone_costs_only_its_value(monkeypatch):
    monkeypatch.setattr(_Gone, "__module__", "luthier_no_such_module")
    pickled = b"cluthier_no_such_module\n_Gone\n."
    line = codec.encode(Record(0, 0.0, (ev.Enqueued({"m": Opaque("x._Gone", pickled), "lr": 0.1}),)))
    (event,) = codec.decode(line).events
    assert isinstance(event, ev.Enqueued)
    assert event.config["lr"] == 0.1
    assert isinstance(event.config["m"], Opaque)
    assert "ModuleNotFoundError" in event.config["m"].error
    assert codec.encode(Record(0, 0.0, (event,))) == line


def test_pickles_can_be_left_unloaded():
    line = codec.encode(Record(0, 0.0, (ev.Enqueued({"p": pathlib.PurePosixPath("a"), "t": (1,)}),)))
    (event,) = codec.decode(line, unpickle=False).events
    assert isinstance(event, ev.Enqueued)
    assert event.config["t"] == (1,)
    assert repr(event.config["p"]) == "<pathlib.PurePosixPath a, not loaded>"


# -- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b'{"v":3,"first":0,"at":1.0,"events":[{"is":"Stalled"}]}',
        b'{"v":3,"first":0,"at":1.0,"events":[{"is":"NobodyKnowsYet"}]}',
        b'{"v":3,"first":0,"at":1.0,"events":[{"is":"Enqueued","config":{"a":{"$":"new"}}}]}',
        b'{"v":3,"anything":"else"}',
        codec.sealed(b'{"v":3,"anything":"else"}'),
    ],
)
def test_a_newer_record_is_refused_with_its_version(line):
    for read in (codec.decode, codec.extent):
        with pytest.raises(NewerFormat, match=r"version 3.*upgrade Luthier"):
            read(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0" * 10,
        b"null",
        b'{"v":1}',
        b'{"v":1,"first":0,"at":1.0,"events":[{"is":"NobodyKnows"}]}',
        b'{"v":1,"first":0,"at":1.0,"events":[{"is":"WorkerLost"}]}',
        b'{"v":1,"first":0,"at":1.0,"events":[{"is":"Ended","trial":"t","status":"dead"}]}',
        b'{"v":1,"first":0,"at":1.0,"events":[{"is":"Enqueued","config":{"a":{"$":"new"}}}]}',
        b'{"v":1,"first":0,"at":1.0,"events":[{"is":"Enqueued","config":{"a":{"$":"tuple"}}}]}',
        b'{"v":1,"first":0,"at":1.0,"events":[{"config":{"a":{"$":"float","v":"nan"}}}]}',
        b'{"v":0,"first":0,"at":1.0,"events":[{"is":"Stalled"}]}',
    ],
)
def test_what_is_no_record_is_corrupt(line):
    with pytest.raises(CorruptLog):
        codec.decode(line)


def test_a_record_without_its_seal_is_damaged_unless_it_is_of_the_version_that_had_none():
    events = b'"first":0,"at":1.0,"events":[{"is":"Stalled"}]}'
    assert codec.decode(b'{"v":1,' + events) == Record(0, 1.0, (ev.Stalled(),))
    for read in (codec.decode, codec.extent):
        with pytest.raises(DamagedRecord, match="checksum is missing"):
            read(b'{"v":2,' + events)


def test_fields_that_are_unknown_are_passed_over():
    line = (
        b'{"v":1,"first":3,"at":1.0,"by":"me","events":[{"is":"WorkerLost","worker":"w","why":{"$":"tuple","v":[]}}]}'
    )
    assert codec.decode(line) == Record(3, 1.0, (ev.WorkerLost(WorkerId("w")),))
    plain = b'{"v":1,"first":3,"at":1.0,"by":"me","events":[{"is":"WorkerLost","worker":"w","why":"x"}]}'
    assert codec.decode(plain) == Record(3, 1.0, (ev.WorkerLost(WorkerId("w")),))


def main() -> None:
    metrics = {f"metric_{i}": 0.123456789 * i for i in range(10)} | {"training_iteration": 3, "time_total_s": 1.5}
    record = Record(10, 1234567890.123456, (ev.Reported(T0, 1, 3, metrics),))
    line, n = codec.encode(record), 50_000
    for what, call in (("encode", lambda: codec.encode(record)), ("decode", lambda: codec.decode(line))):
        print(f"{what}: {min(timeit.repeat(call, number=n, repeat=5)) / n * 1e6:.2f} us")


if __name__ == "__main__":
    main()
