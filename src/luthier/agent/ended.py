"""How an agent has ended."""

from __future__ import annotations

from typing import NamedTuple


class Ended(NamedTuple):
    """How an agent has ended.

    Attributes:
        reason: why.
        code: the exit code that says so: 0 for done, 1 for refused, 128 + the number of a signal.
        counts: how many runs ended how.
    """

    reason: str
    code: int
    counts: dict[str, int]
