"""Errors: which line says it, which frames are the user's, which are alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import luthier
from luthier.callbacks.failures import failure_lines, grouped, headline, user_frames
from luthier.callbacks.spelling import duration, short
from tests.callbacks.story import TRACEBACK

CHAINED = (
    TRACEBACK
    + """
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "train.py", line 20, in outer
    raise RuntimeError("first line\\nsecond line")
    ^^^^^^^^^^^^^^^^^^
RuntimeError: first line
second line
"""
)
CRASHED = f"""the trial's process was killed by SIGSEGV
Current thread 0x00007f9a63fbdb80 (most recent call first):
  File "/project/luthier/train.py", line 10 in f
  File "{Path(luthier.__file__).parent / "worker" / "main.py"}", line 64 in serve
  File "{os.__file__}", line 1 in x
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TRACEBACK, "ValueError: no 7"),
        (CHAINED, "RuntimeError: first line"),
        (CRASHED, "the trial's process was killed by SIGSEGV"),
        ("", "failed without a word"),
        ("\n\n", "failed without a word"),
        ("Traceback (most recent call last):\n", "Traceback (most recent call last):"),
        ("\x1b[31mred", "\\x1b[31mred"),
    ],
)
def test_headline(text, line):
    assert headline(text) == line


def test_user_frames():
    assert user_frames(TRACEBACK) == ["train.py:12 in train: model(x)"]
    assert user_frames(CHAINED)[-1] == r'train.py:20 in outer: raise RuntimeError("first line\nsecond line")'
    assert user_frames(CRASHED) == ["/project/luthier/train.py:10 in f"]
    assert user_frames("ValueError: no frames") == []


def test_errors_that_differ_in_numbers_are_alike():
    groups = grouped((f"t{i}", f"d{i}", f"CUDA out of memory: {i} MiB at 0x7f{i}a") for i in range(4))
    assert [(group.error, len(group.trials), group.folder) for group in groups] == [
        ("CUDA out of memory: 0 MiB at 0x7f0a", 4, "d0"),
    ]
    assert failure_lines(groups)[0].endswith("(t0, t1, t2, ...)")


def test_the_most_frequent_error_comes_first_and_few_are_told():
    texts = ["KeyError: 'a'", "KeyError: 'b'", "KeyError: 'b'", *(f"Error{'x' * i}: no" for i in range(9))]
    groups = grouped((f"t{i}", "", text) for i, text in enumerate(texts))
    assert groups[0].error == "KeyError: 'b'"
    lines = failure_lines(groups)
    assert len(lines) == 6
    assert lines[-1] == "  and 6 other errors"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [(Broken(), "<Broken>"), (test_headline, "test_headline"), ("x" * 99, "x" * 31 + "…"), (float("nan"), "nan"),
     (True, "True"), ({"a": "\x1b"}, "{'a': '\\x1b'}"), (10**99, "1" + "0" * 30 + "…")],
)  # fmt: skip
def test_short(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (1e-5, "<1 ms"),
        (0.05, "50 ms"),
        (9.99, "10.0 s"),
        (10, "10 s"),
        (59.6, "1 min 00 s"),
        (-1, "0.0 s"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
