"""Calls as data."""

from __future__ import annotations

import enum

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.sweeps.calls import DEEPEST, DICT, Call, decode, encode, looks_like_call, said_with
from luthier.sweeps.document import opened
from luthier.sweeps.yaml_text import dumped

NAMES = st.sampled_from(["tune.uniform", "hyperopt.hp.choice", "os.system", DICT])
KEYS = st.one_of(st.sampled_from(["lr", "args", "kwargs", "tune.uniform", "a.b"]), st.text(max_size=3))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(["1e5", "1_000", "yes", "null", "0x1f", "1:30", "~", "2021-01-01", ".5", "=", "<<"]),
)  # fmt: skip


def calls(inner):
    words = st.sampled_from(["args", "kwargs", "low", "high"])
    return st.builds(
        lambda name, args, kwargs: Call(name, *args, **kwargs),
        NAMES.filter(lambda name: name != DICT),
        st.lists(inner, max_size=2),
        st.dictionaries(words, inner, max_size=2),
    )


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=2), calls(inner)),
)


@given(VALUES)
def test_what_is_written_is_read_as_it_was(value):
    said = encode({"value": value})
    text = dumped(said)
    assert decode(yaml.safe_load(text), "x") == {"value": value}
    assert decode(opened(text).value, "x") == {"value": value}


@pytest.mark.parametrize("text", ["\x85", "a\u2028b", "a\n\n b\n", " a ", "\ufeff", "\t", "é", "\U0001f600"])
def test_text_with_odd_characters(text):
    said = dumped({"a": text})
    assert yaml.safe_load(said) == opened(said).value == {"a": text}


def test_numbers_that_are_text_stay_text_for_every_reader():
    assert dumped({"a": ["1e5", "1.5e-3", "0x1f", "017", "x"]}).split() == [
        "a:", "-", "'1e5'", "-", "'1.5e-3'", "-", "'0x1f'", "-", "'017'", "-", "x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ([1, 2], ([1, 2], {})),
        ({"low": 1}, ([], {"low": 1})),
        ({"args": ["x"], "kwargs": {"low": 1}}, (["x"], {"low": 1})),
        ({"args": ["x"]}, (["x"], {})),
        ({"kwargs": {"low": 1}}, ([], {"low": 1})),
        (["x", {"low": 1}], (["x", {"low": 1}], {})),  # a mapping at the end is no keyword arguments
        ({"args": 3, "kwargs": {}}, ([], {"args": 3, "kwargs": {}})),  # arguments of these names
        ({}, ([], {})),
        (None, ([], {})),
    ],
)
def test_three_ways_to_say_arguments(said, meant):
    assert said_with(said) == meant


def test_arguments_called_args_and_kwargs():
    call = Call("tune.x", args=[1], kwargs={"a": 2})
    assert encode(call) == {"tune.x": {"args": [], "kwargs": {"args": [1], "kwargs": {"a": 2}}}}
    assert decode(encode(call), "x") == call


def test_constants_that_look_like_calls():
    constant = {"os.system": ["ls"]}
    assert looks_like_call(constant)
    assert encode(constant) == {DICT: constant}
    assert decode(encode(constant), "x") == constant
    assert decode(encode({DICT: constant}), "x") == {DICT: constant}
    assert decode({"a.b": 3}, "x") == {"a.b": 3}


def test_the_innermost_call_is_made_first():
    seen = []
    said = {"a": {"tune.choice": [[{"tune.uniform": [0, 1]}]]}}

    def make(call, where):
        seen.append((where, call.name))
        return call.name

    assert decode(said, "config", make) == {"a": "tune.choice"}
    assert seen == [
        ("config.a.tune.choice[0][0].tune.uniform", "tune.uniform"),
        ("config.a.tune.choice", "tune.choice"),
    ]


def test_what_numpy_has_is_written_as_python_has_it():
    said = encode({"n": np.int64(3), "x": np.float64(0.5), "on": np.bool_(True), "all": np.array([1, 2])})
    assert said == {"n": 3, "x": 0.5, "on": True, "all": [1, 2]}
    assert [type(value) for value in said.values()] == [int, float, bool, list]


def test_enumerations_sets_and_ranges():
    Kind = enum.Enum("Kind", {"A": "a"}, type=str)
    assert encode([Kind.A, {3, 1}, range(3)]) == ["a", [1, 3], [0, 1, 2]]
    with pytest.raises(BadArgument, match="randint"):
        encode(range(10**7))


@pytest.mark.parametrize(("value", "why"), [(print, "a function"), (object(), "what a file can say"), (3j, "numbers")])
def test_what_no_file_can_say(value, why):
    with pytest.raises(BadArgumentType, match=rf"config\['x'\]\[1\].*{why}"):
        encode({"x": [0, value]}, "config")


@pytest.mark.parametrize("key", [("a", "b"), 1, None])
def test_keys_are_text(key):
    with pytest.raises(BadArgument, match="keys that are text"):
        encode({key: 1})


def test_what_holds_itself_is_refused():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(BadArgument, match=str(DEEPEST)):
        encode(endless)
    deep: object = 1
    for _ in range(DEEPEST + 5):
        deep = {"tune.choice": [[deep]]}
    with pytest.raises(BadArgument, match="nested too deeply"):
        decode(deep, "config")


def test_what_names_its_parts_over_and_over_is_refused():
    part: object = ["x"] * 10
    for _ in range(9):
        part = [part] * 10
    with pytest.raises(BadArgument, match="too much in it"):
        decode(part, "config")


def test_calls_are_compared_by_what_they_say():
    assert Call("a", 1) == Call("a", 1) != Call("a", 2)
    assert len({Call("a", 1), Call("a", 1)}) == 1
    assert repr(Call("a", 1, b="x")) == "a(1, b='x')"
    assert Call("a") != "a"
