"""A study that keeps the record itself: the library is given all of it at each proposal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.search.study import Suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.goal import Score
    from luthier.core.terms import Config
    from luthier.search.flat_axes import Points
    from luthier.search.known import Known

_MOST = 1e100  # of a score


class Entry:
    """One trial.

    Attributes:
        values: where it is, in the library's words.
        scores: one for each goal, lower is better; None where there are none (yet).
        failed: whether it ended without.
        stopped: whether a scheduler cut it short.
    """

    __slots__ = ("failed", "scores", "stopped", "values")

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.scores: tuple[Score, ...] | None = None
        self.failed = False
        self.stopped = False


class Recorded(ABC):
    """Inherit, and write :meth:`suggested`; what it returns may depend on nothing but what it is given.

    Libraries that know neither failures nor running trials hear (by :meth:`record`) of a failure as of the worst score
    so far, and of a running trial as of the best one (a constant liar: Ginsbourger et al., "Kriging is well-suited to
    parallelize optimization", 2010, section 3.2): what it could promise there is taken already.  Those that know them
    may read :attr:`entries` instead.

    Scores beyond 1e100 are cut off there: a model squares them.

    Args:
        points: how configs are made.
        known: what was evaluated elsewhere.

    Attributes:
        entries: the trials in the order in which they were proposed, after what was known; by their tokens.
    """

    retraced = False

    def __init__(self, points: Points, known: Sequence[Known] = ()) -> None:
        self.points = points
        self.entries: dict[int, Entry] = {}
        self._births = 0
        for config, scores, rung in known:
            token = self.insert(config)
            if token is not None:
                self.settle(token, scores, stopped=rung is not None)

    @abstractmethod
    def suggested(self, points: list[list[Any]], scores: list[float], seed: int) -> list[Any] | Nothing:
        """Return the library's next point; it is not called where there is nothing to choose.

        Args:
            points: those tried, in the order of their proposals.
            scores: one for each, lower is better; empty where none is known.
            seed: where chance starts.
        """

    def propose(self, seed: int) -> Suggestion | Nothing:
        """Return a new point."""
        values = self.suggested(*self.record(), seed) if self.points.parts else []
        if isinstance(values, Nothing):
            return values
        config = self.points.config(values, rng_at(seed, 1))
        return Suggestion(config, self.insert(config))

    def record(self) -> tuple[list[list[Any]], list[float]]:
        """Return all points and their scores of the first goal, true or not; no scores where none is known."""
        entries = self.entries.values()
        points = [entry.values for entry in entries]
        true = [None if e.scores is None else min(max(e.scores[0], -_MOST), _MOST) for e in entries]
        known = [score for score in true if score is not None]
        if not known:
            return points, []
        best, worst = min(known), max(known)
        lies = (worst if entry.failed else best for entry in entries)
        return points, [lie if score is None else score for score, lie in zip(true, lies, strict=True)]

    def insert(self, config: Config) -> Any:
        """Take in a config that others chose; None if the library cannot say it."""
        values = self.points.values(config)
        if values is None:
            return None
        self._births += 1
        self.entries[self._births] = Entry(values)
        return self._births

    def withdraw(self, token: Any) -> None:
        """Forget a proposal that never became a trial."""
        del self.entries[token]

    def hear(self, token: Any, step: int, scores: tuple[Score, ...]) -> None:  # noqa: B027 (may stay so)
        """Hear of a result on the way, which these libraries have no place for."""

    def settle(self, token: Any, scores: tuple[Score, ...] | None, *, stopped: bool) -> None:
        """Hear of a trial's end; of one that was stopped the last score counts."""
        entry = self.entries[token]
        entry.scores, entry.failed, entry.stopped = scores, scores is None, stopped
