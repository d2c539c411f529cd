"""Errors that name the argument, what was given and what would do."""

from __future__ import annotations

import pickle

import pytest

from luthier.core.errors import BadArgument, BadArgumentType, LuthierError


def test_a_long_value_is_cut():
    assert str(BadArgument("x", "a" * 500, "less")).startswith("x='" + "a" * 199 + "... cannot be used: give less.")


def test_why_is_said():
    assert str(BadArgument("x", 1, "2", "it is odd")) == "x=1 cannot be used: it is odd; give 2."


@pytest.mark.parametrize("kind", [BadArgument, BadArgumentType])
def test_they_travel(kind):
    error = kind("x", 1, "2", "it is odd")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and str(again) == str(error) and (again.argument, again.given) == ("x", 1)
    assert isinstance(error, LuthierError) and isinstance(error, ValueError)
    assert isinstance(error, TypeError) == (kind is BadArgumentType)


def test_what_cannot_be_shown_is_still_refused():
    class Broken:
        def __repr__(self):
            raise ZeroDivisionError

    assert str(BadArgument("x", Broken(), "another")) == (
        "x=<an object of type Broken that cannot be shown> cannot be used: give another."
    )
