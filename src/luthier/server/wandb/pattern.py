"""Regular expressions of others: a text is looked through once, whatever the pattern is.

Python's own would go back and try again: a short pattern could keep the server at it for years.  Here all ways through
the pattern are gone at the same time, character by character, and where they lead is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from luthier.server.wandb.asked import Refused
from luthier.server.wandb.expressions import Choice, Edge, One, Repeat, Sequence, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.server.wandb.expressions import Node

LONGEST = 2_000  # characters of a text that are looked at
MOST_PLACES = 250
MOST_STEPS = 20_000  # that were not taken before, for all texts together
_BEGIN, _END, _FOUND, _FORK = "begin", "end", "found", "fork"


class _Place(NamedTuple):
    """A place in a pattern: which character leads on from it, or a word for what it is; and the places after it."""

    what: Callable[[str], bool] | str
    after: tuple[int, ...]


class Pattern:
    """A regular expression, without references and without assertions other than ``^`` and ``$``.

    Args:
        text: what is looked for.
        options: ``"i"`` where capitals make no difference.

    Raises:
        Refused: it cannot be read, or has what is not known here.

    >>> Pattern("^base(line)?-[0-9]+$").search("baseline-12"), Pattern("LINE", "i").search("baseline")
    (True, True)
    """

    def __init__(self, text: str, options: str = "") -> None:
        if not isinstance(text, str) or not isinstance(options, str) or options.strip("i"):
            raise Refused("$regex is a text, and of $options only i is known here")
        self._text = text
        self._places: list[_Place] = []
        begins = self._before(read(text, any_case="i" in options), self._place(_FOUND))
        self._first = self._closed([begins], passed=(_BEGIN,))
        self._again = self._closed([begins])
        self._known: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def search(self, text: str) -> bool:
        """Return whether it is found anywhere in *text*.

        Raises:
            Refused: it takes too long to find out.
        """
        here = self._first
        for character in text[:LONGEST]:
            if 0 in here:  # the place where it is found
                return True
            step = (here, character)
            if step not in self._known:
                if len(self._known) >= MOST_STEPS:
                    raise Refused(f"the $regex {self._text[:80]!r} takes too long")
                self._known[step] = self._again | self._closed(self._led(*step))
            here = self._known[step]
        if len(text) > LONGEST:  # its end was not seen
            return 0 in here
        return 0 in self._closed(here, passed=(_END,) if text else (_BEGIN, _END))

    def _led(self, here: Iterable[int], character: str) -> list[int]:
        """Return the places that *character* leads to."""
        places = [self._places[number] for number in here]
        return [place.after[0] for place in places if callable(place.what) and place.what(character)]

    def _closed(self, seeds: Iterable[int], passed: tuple[str, ...] = ()) -> frozenset[int]:
        """Return the places that can be come to from *seeds* without a character, past the edges that are *passed*."""
        found, left = set(seeds), list(seeds)
        while left:
            place = self._places[left.pop()]
            if place.what == _FORK or place.what in passed:
                fresh = [number for number in place.after if number not in found]
                found.update(fresh)
                left += fresh
        return frozenset(found)

    def _place(self, what: Callable[[str], bool] | str, *after: int) -> int:
        if len(self._places) >= MOST_PLACES:
            raise Refused(f"the $regex {self._text[:80]!r} is too long")
        self._places.append(_Place(what, after))
        return len(self._places) - 1

    def _before(self, node: Node, after: int) -> int:
        """Return the place from which *node* leads to *after*."""
        match node:
            case One(passes):
                return self._place(passes, after)
            case Edge(begin):
                return self._place(_BEGIN if begin else _END, after)
            case Sequence(parts):
                for part in reversed(parts):
                    after = self._before(part, after)
                return after
            case Choice(parts):
                return self._place(_FORK, *[self._before(part, after) for part in parts])
            case Repeat(part, least, most):
                return self._repeated(part, least, most, after)

    def _repeated(self, part: Node, least: int, most: int | None, after: int) -> int:
        if most is None:
            loop = self._place(_FORK)
            self._places[loop] = _Place(_FORK, (self._before(part, loop), after))
            after = loop
        for _ in range(least, most or 0):
            after = self._place(_FORK, self._before(part, after), after)
        for _ in range(least):
            after = self._before(part, after)
        return after
