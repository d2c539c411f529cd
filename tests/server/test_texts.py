"""Values as texts: the quick way writes and reads what the slow one does."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from luthier.core.errors import NotStorable
from luthier.server.texts import text, value
from luthier.server.wandb.values import loaded
from luthier.store.values import from_json, to_json

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=4)
KEYS = st.sampled_from(["$", "v", "a", "null"]) | st.text(max_size=3)
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=3), max_leaves=8)
NAN = float("nan")


def deep(levels: int) -> list[object]:
    found: list[object] = []
    for _ in range(levels):
        found = [found]
    return found


@given(VALUES)
@example({"a": NAN})
@example({"a": None, "b": [float("-inf")]})
@example({"a": None, "b": "null"})
@example({"$": "pickle", "v": ""})
@example({"a": "\ud800"})
@example({"a": (1, {2: 3})})
@example(deep(100))
def test_a_text_says_what_the_slow_way_says(made: object) -> None:
    said = text(made)
    assert msgspec.json.decode(said) == msgspec.json.decode(msgspec.json.encode(to_json(made)))
    for given_as in (said, said.encode()):
        found = value(given_as)
        assert repr(found) == repr(from_json(msgspec.json.decode(said), unpickle=False)) == repr(made)


@pytest.mark.parametrize("digits", [900, 1200, 5000])
def test_an_endless_integer_comes_back(digits: int) -> None:
    assert value(text({"a": 10**digits})) == {"a": 10**digits}


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(NotStorable):
        text(deep(101))


@given(VALUES)
@example({"a": NAN, "b": 10**30})
@example({"a": float("inf")})
def test_a_line_is_read_as_python_reads_it(made: object) -> None:
    line = json.dumps(made)
    found = loaded(line)
    assert repr(found) == repr(json.loads(line))


@pytest.mark.parametrize("line", ["", "{", '{"a":1} x', '{"a":\x00}', "[" * 5000, '{"a": ' + "1" * 5000 + "}", "nan"])
def test_what_is_no_json_is_nothing(line: str) -> None:
    assert loaded(line) is None


@pytest.mark.parametrize("line", ['{"a":1e999}', '{"a":"\\ud800"}', ' {"a":-0, "a":-0.0}\n', '{"a":NaN,"b":-Infinity}'])
def test_what_is_odd_json_is_read(line: str) -> None:
    assert repr(loaded(line)) == repr(json.loads(line))
