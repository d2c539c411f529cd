"""How a program has ended, in the words of the protocol and for people."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TRACEBACK = "Traceback (most recent call last):"
_SHOWN = 20  # lines, where there is no traceback
_LONGEST = 20_000  # characters


def ending(
    code: int | None, halted: str | None, told: str, errors: Iterable[str], printed: Iterable[str]
) -> tuple[str, str]:
    """Return the outcome of a run, and what to show of it.

    Args:
        code: exit code, or minus the number of a signal; None where nobody knows.
        halted: the outcome of an order to end, if there was one.
        told: what the program itself has said about its error.
        errors: the last lines of its standard error.
        printed: the last lines of its standard output.

    >>> ending(0, None, "", [], [])
    ('finished', '')
    >>> ending(1, None, "", ["Traceback (most recent call last):", "ValueError: no"], [])[1].splitlines()
    ['Traceback (most recent call last):', 'ValueError: no', '(exit code 1)']
    """
    if halted is not None:
        return halted, ""
    if code == 0 and not told:
        return "finished", ""
    text = told.rstrip() or tail_of(list(errors)) or tail_of(list(printed))
    return "failed", f"{text}\n({how(code)})".lstrip()[-_LONGEST:]


def how(code: int | None) -> str:
    """Return how a program ended, in words.

    >>> how(3), how(-9)
    ('exit code 3', 'killed by SIGKILL')
    """
    if code is None:
        return "its processes were killed, nobody knows by whom: out of memory?"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def tail_of(lines: list[str]) -> str:
    """Return the last traceback in *lines*, from its beginning; the last few lines where there is none."""
    starts = [i for i, text in enumerate(lines) if text.startswith(_TRACEBACK)]
    if not starts:
        return "\n".join(lines[-_SHOWN:])
    start = starts[-1]
    for earlier in reversed(starts[:-1]):  # "During handling of the above exception ...": one story
        if not any("exception" in text and text.endswith(":") for text in lines[earlier + 1 : start]):
            break
        start = earlier
    return "\n".join(lines[start:])
