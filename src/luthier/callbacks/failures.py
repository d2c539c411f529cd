"""What went wrong, grouped: the same error of a hundred trials is one line with a count."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

import luthier
from luthier.callbacks.spelling import counted, cut, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FRAME = re.compile(r'^\s+File "(?P<file>.*)", line (?P<line>\d+)(?:,? in (?P<where>.*))?$')
_HEAD = "Traceback (most recent call last)"
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+")
_STANDARD = os.path.dirname(os.__file__) + os.sep
_OURS = os.path.dirname(luthier.__file__) + os.sep
_SHOWN_TRIALS = 3


class FailureGroup(msgspec.Struct):
    """Trials that failed alike.

    Attributes:
        error: the line that says what happened, of the first of them.
        trials: their names, in the order in which they failed.
        text: the whole text of the first error.
        folder: directory of the first of them, inside the experiment's.
    """

    error: str
    trials: list[str]
    text: str
    folder: str = ""


def headline(text: str) -> str:
    r"""Return the line of an error's text that says what happened: the exception, without its traceback.

    >>> headline("Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: no\n  more")
    'ValueError: no'
    >>> headline("killed by SIGSEGV")
    'killed by SIGSEGV'
    """
    lines = text.strip().splitlines()
    if not lines:
        return "failed without a word"
    heads = [i for i, line in enumerate(lines) if line.lstrip().startswith(_HEAD)]
    if heads:
        for line in lines[heads[-1] + 1 :]:
            if line and not line[0].isspace():
                return plain_text(line.strip())
    return plain_text(lines[0].strip())


def user_frames(text: str) -> list[str]:
    r"""Return the lines of a traceback's text that are in the user's own files, as ``file:line in function: code``.

    Frames of the standard library, of installed packages and of Luthier are left out.

    >>> user_frames('Traceback (most recent call last):\n  File "a.py", line 3, in f\n    g()\nValueError: no')
    ['a.py:3 in f: g()']
    """
    lines = text.splitlines()
    frames = []
    for number, line in enumerate(lines):
        found = _FRAME.match(line)
        if found is None or _foreign(found["file"]):
            continue
        code = lines[number + 1].strip() if number + 1 < len(lines) else ""
        if code and (not lines[number + 1][0].isspace() or _FRAME.match(lines[number + 1]) or set(code) <= set("^~ ")):
            code = ""  # the source is not known: that was the next frame, or the error itself
        where = f" in {found['where']}" if found["where"] else ""
        frames.append(plain_text(f"{found['file']}:{found['line']}{where}{': ' + code if code else ''}"))
    return frames


def _foreign(file: str) -> bool:
    if file.startswith("<"):
        return file != "<stdin>" and not file.startswith("<ipython")
    return "site-packages" in file or "dist-packages" in file or file.startswith((_STANDARD, _OURS))


def grouped(failures: Iterable[tuple[str, str, str]]) -> list[FailureGroup]:
    """Group failures, given as (trial's name, its folder, error text): errors that differ in numbers alone are alike.

    >>> [(g.error, len(g.trials)) for g in grouped([("t0", "", "KeyError: 1"), ("t1", "", "KeyError: 2")])]
    [('KeyError: 1', 2)]
    """
    groups: dict[str, FailureGroup] = {}
    for name, folder, text in failures:
        error = headline(text)
        key = _NUMBERS.sub("#", error)
        group = groups.get(key)
        if group is None:
            groups[key] = FailureGroup(error, [name], text, folder)
        else:
            group.trials.append(name)
    return sorted(groups.values(), key=lambda group: -len(group.trials))


def failure_lines(groups: Sequence[FailureGroup], most: int = 5, frames: int = 3) -> list[str]:
    """Return *groups* as lines: what, how often, where in the user's code, and the file that tells more."""
    lines = []
    for group in groups[:most]:
        names = ", ".join(group.trials[:_SHOWN_TRIALS]) + (", ..." if len(group.trials) > _SHOWN_TRIALS else "")
        lines.append(f"  {len(group.trials)} x {cut(group.error, 200)}  ({plain_text(names)})")
        lines += [f"      at {cut(frame, 160)}" for frame in user_frames(group.text)[-frames:]]
        if group.folder:
            lines.append(f"      more in {plain_text(group.folder)}/error.txt")
    if len(groups) > most:
        lines.append(f"  and {counted(len(groups) - most, 'other error')}")
    return lines
