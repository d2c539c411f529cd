"""Decisions that are worked out when somebody asks for them, and not when an experiment is rebuilt from its log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, overload

from luthier.core.errors import PolicyError
from luthier.core.policy import Finish

if TYPE_CHECKING:
    from luthier.core.policy import Decision, Exploit
    from luthier.core.terms import TrialId

Making: TypeAlias = "Decision | Promise"


class Promise:
    """An ``Exploit`` of *trial* that *make* makes, once, when it is asked for.

    >>> promise = Promise("t", lambda: print("made"))
    >>> promise.trial
    't'
    >>> promise.kept(), promise.kept()
    made
    (None, None)
    """

    __slots__ = ("_kept", "_make", "trial")

    def __init__(self, trial: TrialId, make: Callable[[], Exploit]) -> None:
        self.trial = trial
        self._make: Callable[[], Exploit] | None = make
        self._kept: Exploit | None = None

    def __repr__(self) -> str:
        return f"Promise({self.trial!r})"

    def kept(self) -> Exploit:
        """Return the decision.

        Raises:
            PolicyError: making it raised.
        """
        if self._make is not None:
            try:
                self._kept = self._make()
            except Exception as error:
                msg = f"explore raised {type(error).__name__}: {error}"
                raise PolicyError(msg) from error
            self._make = None
        return self._kept  # type: ignore[return-value]


class Deferred(Sequence["Decision"]):
    """Decisions, some of them still to be made: each once, in order, when it is read.

    The engine reads one, applies it and reads the next, which therefore sees what came of those before.  While it
    replays a log it reads none: what is costly, or a user's, is not done again, and nothing can depend on it.  Who
    must know what it is about, or add to it, takes :func:`makings` of it, and gives :func:`deferred` on.

    >>> Deferred([Promise("t", lambda: "made")])[0]
    'made'
    """

    __slots__ = ("_made", "makings")

    def __init__(self, makings: Sequence[Making]) -> None:
        self.makings = makings
        self._made: list[Decision] = []

    def __len__(self) -> int:
        return len(self.makings)

    @overload
    def __getitem__(self, at: int) -> Decision: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Decision]: ...
    def __getitem__(self, at: int | slice) -> Decision | Sequence[Decision]:
        if isinstance(at, slice):
            return list(self)[at]
        at = range(len(self))[at]
        while len(self._made) <= at:
            making = self.makings[len(self._made)]
            self._made.append(making.kept() if isinstance(making, Promise) else making)
        return self._made[at]

    def __iter__(self) -> Iterator[Decision]:
        return (self[at] for at in range(len(self)))


def makings(decisions: Sequence[Decision]) -> Sequence[Making]:
    """Return *decisions* without making those that are still to be made.

    >>> makings(Deferred([Promise("t", lambda: "made")]))
    [Promise('t')]
    """
    return decisions.makings if isinstance(decisions, Deferred) else decisions


def deferred(parts: Sequence[Making]) -> Sequence[Decision]:
    """Return *parts* as decisions, those that are still to be made among them.

    >>> list(deferred([Promise("t", lambda: "made")]))
    ['made']
    """
    return Deferred(parts) if any(isinstance(part, Promise) for part in parts) else tuple(parts)  # type: ignore[arg-type]


def about(making: Making) -> TrialId | None:
    """Return the trial that *making* is about; None where that is all of them.

    >>> about(Promise("t", lambda: "made"))
    't'
    """
    return None if isinstance(making, Finish) else making.trial
