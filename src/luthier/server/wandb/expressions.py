"""Regular expressions, read into a tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from luthier.server.wandb.asked import Refused

DEEPEST = 20
MOST_REPEATS = 100
_KINDS: dict[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "w": lambda c: c.isalnum() or c == "_",
    "s": str.isspace,
    "D": lambda c: not c.isdecimal(),
    "W": lambda c: not (c.isalnum() or c == "_"),
    "S": lambda c: not c.isspace(),
}
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_COUNTS = re.compile(r"\{(\d{1,3})(?:(,)(\d{0,3}))?\}")


class One(NamedTuple):
    """One character, of those that pass."""

    passes: Callable[[str], bool]


class Edge(NamedTuple):
    """The beginning of the text, or its end."""

    begin: bool


class Sequence(NamedTuple):
    """One after the other."""

    parts: list[Node]


class Choice(NamedTuple):
    """One of several."""

    parts: list[Node]


class Repeat(NamedTuple):
    """The same, several times; any number of times where *most* is None."""

    part: Node
    least: int
    most: int | None


Node = One | Edge | Sequence | Choice | Repeat


def read(text: str, *, any_case: bool = False) -> Node:
    """Return what the regular expression *text* says.

    Raises:
        Refused: it cannot be read, or has what is not known here: assertions other than ``^`` and ``$``, references.

    >>> read("a|b").parts[0].parts[0].passes("a")
    True
    """
    if text.startswith("(?i)"):
        return _Reader(text, 4, any_case=True).read()
    return _Reader(text, 0, any_case=any_case).read()


class _Reader:
    def __init__(self, text: str, at: int, *, any_case: bool) -> None:
        self._text, self._at, self._any_case, self._depth = text, at, any_case, 0

    def read(self) -> Node:
        found = self._choice()
        if self._peek():
            raise self._refused("it has a ) too many")
        return found

    def _refused(self, why: str) -> Refused:
        return Refused(f"the $regex {self._text[:80]!r} cannot be used: {why}")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        found = self._peek()
        if not found:
            raise self._refused("its end is missing")
        self._at += 1
        return found

    def _choice(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._refused("its groups are nested too deeply")
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Choice(parts)

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in {"", "|", ")"}:
            parts.append(self._repeated(self._atom()))
        return Sequence(parts)

    def _repeated(self, atom: Node) -> Node:
        counts = self._counts()
        if counts is None:
            return atom
        if isinstance(atom, Edge):
            raise self._refused("^ and $ cannot be repeated")
        if self._peek() == "?":  # as few as will do: whether there are any does not hang on that
            self._at += 1
        if self._peek() in {"*", "+", "?"} and self._peek():
            raise self._refused("it repeats what is repeated already")
        return Repeat(atom, *counts)

    def _counts(self) -> tuple[int, int | None] | None:
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._peek())
        if simple is not None:
            self._at += 1
            return simple
        given = _COUNTS.match(self._text, self._at)
        if given is None:
            return None
        self._at = given.end()
        least = int(given[1])
        most = least if given[2] is None else int(given[3]) if given[3] else None
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise self._refused(f"{given[0]} is none of the counts from 0 to {MOST_REPEATS}")
        return least, most

    def _atom(self) -> Node:
        match self._next():
            case "^":
                return Edge(begin=True)
            case "$":
                return Edge(begin=False)
            case ".":
                return One(lambda c: c != "\n")
            case "(":
                return self._group()
            case "[":
                return One(self._class())
            case "\\":
                return One(self._any_of([self._escaped()]))
            case "*" | "+" | "?" as sign:
                raise self._refused(f"there is nothing before its {sign}")
            case character:
                return One(self._any_of([_same(character)]))

    def _group(self) -> Node:
        if self._peek() == "?":
            if not self._text.startswith("?:", self._at):
                raise self._refused("of groups that begin with (? only (?: is known here")
            self._at += 2
        found = self._choice()
        if self._peek() != ")":
            raise self._refused("a ) is missing")
        self._at += 1
        return found

    def _class(self) -> Callable[[str], bool]:
        """Return what the rest of ``[...]`` lets pass."""
        inverse = self._peek() == "^"
        self._at += inverse
        found: list[Callable[[str], bool]] = []
        while self._peek() != "]" or not found:
            first = self._next()
            if first == "\\":
                found.append(self._escaped())
            elif self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in {"", "]"}:
                self._at += 1
                last = self._next()
                if last == "\\" or last < first:
                    raise self._refused(f"{first}-{last} is no range of characters")
                found.append(_between(first, last))
            else:
                found.append(_same(first))
        self._at += 1
        within = self._any_of(found)
        return (lambda c: not within(c)) if inverse else within

    def _escaped(self) -> Callable[[str], bool]:
        given = self._next()
        if given in _KINDS:
            return _KINDS[given]
        if given in _CONTROL:
            return _same(_CONTROL[given])
        if given.isalnum():
            raise self._refused(f"\\{given} is not known here")
        return _same(given)

    def _any_of(self, kinds: list[Callable[[str], bool]]) -> Callable[[str], bool]:
        if self._any_case:
            return lambda c: any(kind(c) or kind(c.lower()) or kind(c.upper()) for kind in kinds)
        return lambda c: any(kind(c) for kind in kinds)


def _same(character: str) -> Callable[[str], bool]:
    return lambda c: c == character


def _between(first: str, last: str) -> Callable[[str], bool]:
    return lambda c: first <= c <= last
