"""YAML from strangers: what it stands for, on which line, and what is refused."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import BadArgumentType, BadSweep
from luthier.sweeps.document import DEEPEST, MOST_BYTES, opened
from luthier.sweeps.read import read
from luthier.sweeps.written import written

PLAIN = "method: random\nparameters: {x: {value: 1}}\n"


def complaint(source: Any, reader: Any = opened) -> str:
    with pytest.raises(BadSweep) as caught:
        reader(source)
    (violation,) = caught.value.violations
    return str(violation)


# -- what words stand for ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-2.5e+4", -25000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("7", 7),
        ("-7", -7),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b101", 5),
        ("0", 0),
        ("0.0", 0.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1:30", "1:30"),
        ("2026-11-21", "2026-11-21"),
        ("1e", "1e"),
        ("e3", "e3"),
        ("1.2.3", "1.2.3"),
        ("08", "08"),
        ("0o10", "0o10"),
        ("'1e-3'", "1e-3"),
        ('"7"', "7"),
        ("!!str 7", "7"),
        ("y", "y"),
        ("adam", "adam"),
        ("=", "="),
    ],
)
def test_words(word, value):
    document = opened(f"a: {word}")
    found = document.value["a"]
    assert found == value and type(found) is type(value)
    assert document.oddities == ()


def test_nan_is_a_number():
    assert math.isnan(opened("a: .nan").value["a"])


@pytest.mark.parametrize(
    ("word", "value", "odd"),
    [
        ("no", False, "no stands for false in YAML: write 'no' if the word is meant"),
        ("On", True, "On stands for true in YAML: write 'On' if the word is meant"),
        ("010", 8, "010 is octal here, and stands for 8: write 0o10 in quotes, or 8"),
    ],
)
def test_traps_are_told(word, value, odd):
    document = opened(f"a:\n  - {word}\n")
    assert document.value == {"a": [value]}
    assert document.oddities == (f"line 2: {odd}",)
    assert read(f"{PLAIN}settings: {{a: {word}}}").warnings == (f"line 3: {odd}",)


def test_keys_are_text():
    document = opened("on: 1\n1: 2\n1.0: 3\nnull: 4\n2026-01-01: 5\n")
    assert document.value == {"on": 1, "1": 2, "1.0": 3, "null": 4, "2026-01-01": 5}
    assert document.oddities == ()


# -- lines -------------------------------------------------------------------------------------------------------------
def test_lines():
    document = opened("a: 1\nb:\n  c:\n    - x\n    -\n      d: 2\ne: {f: 1,\n  g: 2}\n")
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", 0): 4,
        ("b", "c", 1): 6,
        ("b", "c", 1, "d"): 6,
        ("e",): 7,
        ("e", "f"): 7,
        ("e", "g"): 8,
    }
    assert document.line(("b", "c", 1, "d", "nowhere")) == 6 and document.line(("zzz",)) == 1


def test_aliases_and_merges():
    first = "base: &base {min: 1, max: 2}\nsame: *base\nmore:\n  <<: *base\n  max: 3\n"
    document = opened(f"{first}both:\n  <<: [*base, {{min: 9, q: 4}}]\n")
    assert document.value["same"] == {"min": 1, "max": 2} and document.value["same"] is not document.value["base"]
    assert document.value["more"] == {"max": 3, "min": 1}
    assert document.value["both"] == {"min": 1, "max": 2, "q": 4}
    assert (document.line(("same",)), document.line(("more", "min")), document.line(("more", "max"))) == (2, 1, 5)


# -- the paper it is on ------------------------------------------------------------------------------------------------
def test_paper(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + PLAIN.encode())
    for source in (PLAIN, PLAIN.encode(), path, {"method": "random", "parameters": {"x": {"value": 1}}}):
        assert read(source).parameters == {"x": 1}
    assert read('{"method": "random", "parameters": {"x": {"value": 1}}}').parameters == {"x": 1}  # JSON is YAML
    assert read(path).text == PLAIN
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing.yaml")


def test_text_is_never_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text(PLAIN)
    assert "pathlib.Path('sweep.yaml')" in complaint("sweep.yaml", read)


@pytest.mark.parametrize("source", [3, None, ["a"], object()])
def test_what_is_no_paper(source):
    with pytest.raises(BadArgumentType, match="source="):
        read(source)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "- a\n- b\n", "3", "just words"])
def test_what_is_no_mapping(text):
    assert "give a mapping with method and parameters" in complaint(text, read)


# -- what strangers write ----------------------------------------------------------------------------------------------
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12)
)
MERGED = "b0: &b0 {x: 1}\n" + "".join(f"b{k}: &b{k} {{p: *b{k - 1}, q: *b{k - 1}}}\n" for k in range(1, 60))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "more than 100000 values once its aliases are written out"),
        (MERGED, "more than 100000 values"),
        ("a: &a [*a]", "line 1: *a is inside of what it stands for"),
        ("a: &a\n  b: *a", "line 2: *a is inside"),
        ("a: *b", "there is no &b before *b"),
        ("[" * 5000, "nested more than"),
        ("{a: " * 5000, "nested more than"),
        ("- " * 5000, "nested more than"),
        (
            "a: !!python/object/apply:os.system ['true']",
            "line 1: the tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("x: 1\na: !!python/name:os.system x", "line 2: the tag"),
        ("a: !mine 3", "the tag !mine is not allowed"),
        ("a: !!binary aGk=", "the tag"),
        ("a: !!set {b}", "the tag"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice; the first time on line 1"),
        ("p:\n  x: {min: 0, min: 1}", "line 2: the key 'min' is there twice"),
        ("1: a\n'1': b", "the key '1' is there twice"),
        ("? [a, b]\n: 1", "keys are text"),
        ("? {a: 1}\n: 1", "keys are text"),
        ("<<: 3", "<< takes in a mapping"),
        ("a: 1\n---\nb: 1", "a file holds one sweep"),
        ("a: [1, 2", "it is no YAML"),
        ("a:\n\t- b", "line 2: it is no YAML"),
        ("a: 'x", "it is no YAML"),
        ("a: \x00", "it is no YAML"),
        ("a: " + "9" * 5000, "5000 digits"),
        (b"a: \xff", "line 1: it is not text in UTF-8"),
        (b"a: 1\nb: \xc3(", "line 2: it is not text in UTF-8"),
        ("#" * (MOST_BYTES + 1), "longer than"),
    ],
)
def test_refused(text, words):
    begun = time.process_time()
    assert words in complaint(text)
    assert time.process_time() - begun < 5  # seconds; a bomb would take years


def test_as_deep_as_may_be():
    assert opened("[" * DEEPEST + "]" * DEEPEST).value is not None
    assert "nested" in complaint("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))
    deep = "a: &a " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 30 + "*a" + "]" * 30
    assert "nested" in complaint(deep)


@given(st.binary(max_size=200) | st.text("ab:-[]{}&*!|>'\"\n #%,?<0123.e", max_size=200))
def test_nothing_else_is_raised(source):
    try:
        document = opened(source)
    except BadSweep:
        return
    assert document.lines or document.value is None


@given(st.text("ab:-[]{}&*'\n ,<0123.e", max_size=120))
def test_what_is_read_is_what_others_read(text):
    """But for keys, numbers such as 1e3, and times."""
    try:
        ours = opened(text).value
    except BadSweep:
        return
    theirs = yaml.load(text, Loader=yaml.BaseLoader)  # all is text here

    def spelled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: spelled(item) for key, item in value.items()}
        return [spelled(item) for item in value] if isinstance(value, list) else ...

    if "<<" not in text:
        assert spelled(ours) == (... if theirs in ("", None) else spelled(theirs))


# -- the way back ------------------------------------------------------------------------------------------------------
WORDS = st.sampled_from(
    ["1e-3", "no", "null", "", "010", "1:30", "2026-01-01", "a\nb", "'", "é", "~", "<<", "x: y", "-"]
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=9) | WORDS
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | WORDS, inner, max_size=3)
)


@given(st.dictionaries(st.text(max_size=4) | WORDS, TREES, max_size=3))
def test_a_mapping_is_written_as_what_is_read_again(mapping):
    document = written(mapping)
    assert document.value == mapping and document.lines == {} and document.oddities == ()
    assert opened(document.text).value == mapping


def test_numbers_of_numpy_are_numbers():
    given = {"values": np.array([1, 2]), "x": np.float64(0.5), "t": (1, 2), "s": {3}, "r": range(2)}
    assert written(given).value == {"values": [1, 2], "x": 0.5, "t": [1, 2], "s": [3], "r": [0, 1]}


class Endless(dict[str, Any]):
    """Holds itself."""


def test_what_cannot_be_written():
    endless = Endless()
    endless["x"] = {"y": endless}
    for source, words in (
        ({"a": {"b": [object()]}}, "a.b[0]: <object object"),
        ({"a": {1: 2}}, "a: the key 1 is no text"),
        ({"a": b"x"}, "cannot be written down"),
        ({"a": 1j}, "cannot be written down"),
        (endless, "holds itself"),
    ):
        assert words in complaint(source, written)
