"""What a search library must be able to do to be a searcher here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from luthier.core.terms import Config

if TYPE_CHECKING:
    from luthier.core.goal import Score
    from luthier.core.policy import Nothing


class Suggestion(NamedTuple):
    """A config, and what the library knows it by."""

    config: Config
    token: Any


class Study(Protocol):
    """A library's own record of a search; it keeps state, as libraries do.

    Attributes:
        retraced: whether its state cannot be had but by asking it again, in the order of before (an optimiser that
            draws its points from a population of its own, say).  It is then asked again when a log is replayed.
    """

    retraced: bool

    def propose(self, seed: int) -> Suggestion | Nothing:
        """Return a new point.  All chance comes from *seed* (32 bits); the global generators stay as they were."""

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose and that is being tried; return its token, None if it cannot be said."""

    def withdraw(self, token: Any) -> None:
        """Forget a proposal that never became a trial."""

    def hear(self, token: Any, step: int, scores: tuple[Score, ...]) -> None:
        """Hear of a result on the way: the *step*-th, from 1."""

    def settle(self, token: Any, scores: tuple[Score, ...] | None, *, stopped: bool) -> None:
        """Hear of a trial's end.

        Args:
            token: which.
            scores: one for each goal, lower is better, all finite; None where it failed or had none.
            stopped: whether a scheduler cut it short.
        """
