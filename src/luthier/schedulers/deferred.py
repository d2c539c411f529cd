"""Decisions that are worked out when somebody asks for them, and not when an experiment is rebuilt from its log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, overload

from luthier.core.errors import PolicyError

if TYPE_CHECKING:
    from luthier.core.policy import Decision

Making: TypeAlias = "Decision | Callable[[], Decision]"


class Deferred(Sequence["Decision"]):
    """Decisions, some of them still to be made: each once, in order, when it is read.

    The engine reads one, applies it and reads the next, which therefore sees what came of those before.  While it
    replays a log it reads none: what is costly, or a user's, is not done again, and nothing can depend on it.

    >>> Deferred([lambda: "made"])[0]
    'made'
    """

    __slots__ = ("_made", "_makings")

    def __init__(self, makings: Sequence[Making]) -> None:
        self._makings = makings
        self._made: list[Decision] = []

    def __len__(self) -> int:
        return len(self._makings)

    @overload
    def __getitem__(self, at: int) -> Decision: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Decision]: ...
    def __getitem__(self, at: int | slice) -> Decision | Sequence[Decision]:
        if isinstance(at, slice):
            return list(self)[at]
        at = range(len(self))[at]
        while len(self._made) <= at:
            self._made.append(_made(self._makings[len(self._made)]))
        return self._made[at]

    def __iter__(self) -> Iterator[Decision]:
        return (self[at] for at in range(len(self)))


def _made(making: Making) -> Decision:
    if not callable(making):
        return making
    try:
        return making()
    except Exception as error:
        msg = f"explore raised {type(error).__name__}: {error}"
        raise PolicyError(msg) from error
