"""Filters of runs; their regular expressions, beside Python's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.server.wandb.asked import Refused
from luthier.server.wandb.filters import holds, ready
from luthier.server.wandb.pattern import MOST_STEPS, Pattern

CHARACTERS = st.sampled_from([
    "a", "b", ".", "[ab]", "[^a]", "[b-d]", r"\w", r"\d", r"\S", r"\.", "-", "B", "[]a]", "[a-]", "[^A-C]", "{",
])  # fmt: skip
COUNTS = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "*?", "+?", "??"])
PATTERNS = st.recursive(
    CHARACTERS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, COUNTS).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        inner.map(lambda text: f"({text}|)"),
        inner.map(lambda text: f"(^{text}|{text}$)"),
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.text("abBcd1.-{\n", max_size=6), st.sampled_from(["", "i"]), st.sampled_from(["", "^"]))
def test_patterns_are_found_where_python_finds_them(pattern, text, options, before):
    theirs = re.compile(before + pattern.replace("$", r"\Z"), re.IGNORECASE if options else 0)
    assert Pattern(before + pattern, options).search(text) == (theirs.search(text) is not None)


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        ("(a", "a ) is missing"),
        ("a)", "a ) too many"),
        ("[a", "its end is missing"),
        ("a\\", "its end is missing"),
        ("*a", "nothing before its *"),
        ("a**", "repeats what is repeated already"),
        ("a{2,1}", "none of the counts"),
        ("a{101}", "none of the counts"),
        ("(?=a)", "only (?: is known here"),
        (r"(a)\1", r"\1 is not known here"),
        (r"\bname", r"\b is not known here"),
        ("[b-a]", "no range"),
        ("^*", "cannot be repeated"),
        ("(" * 30 + ")" * 30, "nested too deeply"),
        ("((a{50}){50}){50}", "too long"),
        ("a" * 1000, "too long"),
        (5, "is a text"),
    ],
)
def test_what_cannot_be_a_pattern_is_refused_with_the_reason(pattern, wrong):
    with pytest.raises(Refused, match=re.escape(wrong)):
        Pattern(pattern)


def test_no_pattern_keeps_the_server_at_it_for_long():
    for length in (1000, 5000):
        assert not Pattern("^(a+)+$").search("a" * length + "b"), "Python's own would take years"
    hard = Pattern("(a|b)*a" + "(a|b)" * 40)
    texts = [f"{n * 2654435761 % 2**32:032b}".replace("0", "a").replace("1", "b") for n in range(MOST_STEPS)]
    with pytest.raises(Refused, match="takes too long"):
        all(hard.search(text * 2) in {True, False} for text in texts)


FACTS = {"displayName": "baseline-12", "tags": ["old", "keep"], "config.lr": 0.1, "state": "finished"}


@pytest.mark.parametrize(
    ("wish", "passes"),
    [
        ({"display_name": {"$regex": "^base.*-1"}}, True),
        ({"display_name": {"$regex": "^BASE", "$options": "i"}}, True),
        ({"display_name": {"$regex": "^BASE"}}, False),
        ({"$or": [{"display_name": {"$regex": "^x"}}, {"tags": {"$regex": "^ke+p$"}}]}, True),
        ({"display_name": {"$not": {"$regex": "line"}}}, False),
        ({"config.lr": {"$regex": "0"}}, False),
        ({"nothere": {"$regex": ".*"}}, False),
    ],
)
def test_filters_with_patterns(wish, passes):
    assert holds(ready(wish), FACTS) is passes
