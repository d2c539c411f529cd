"""Filters of runs, and the regular expressions in them."""

from __future__ import annotations

import re

import pytest

from luthier.server.wandb.asked import Refused
from luthier.server.wandb.filters import holds, ready
from luthier.server.wandb.pattern import Pattern


@pytest.mark.parametrize("text", ["a", "ab\nb", "B-1", "", "\ud800", "x\x00é"])
@pytest.mark.parametrize(
    "pattern", [r"^a", r"b$", r"[^a-z]\d", r"(a|b){2,3}", r"^$", r".", r"\bB", "é", r"(?i)b-", "\x00"]
)
def test_patterns_are_found_where_python_finds_them(pattern, text):
    theirs = re.compile(pattern.replace("$", r"\Z"))
    assert Pattern(pattern).search(text) == (theirs.search(text) is not None)


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        ("(a", "missing )"),
        ("a)", "unexpected )"),
        ("[a", "missing ]"),
        ("*a", "no argument for repetition"),
        ("a{1001}", "invalid repetition size"),
        ("(?=a)", "invalid perl operator"),
        (r"(a)\1", "invalid escape"),
        ("((a{100}){100}){100}", "invalid repetition size"),
        ("[b-a]", "invalid character class range"),
        ("\ud800", "surrogates not allowed"),
        ("a" * 10_001, "10001 characters"),
        (5, "is a text"),
        (["a"], "is a text"),
    ],
)
def test_what_cannot_be_a_pattern_is_refused_with_the_reason(pattern, wrong):
    with pytest.raises(Refused, match=re.escape(wrong)):
        Pattern(pattern)


def test_no_pattern_keeps_the_server_at_it_for_long():
    assert not Pattern("^(a+)+$").search("a" * 100_000 + "b"), "Python's own would take years"
    assert Pattern("(a|b)*a" + "(a|b)" * 40).search("ab" * 10_000)


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
