"""A population by its scores, kept in order."""

from __future__ import annotations

from bisect import bisect_left, insort
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luthier.core.goal import Score


class Ranking:
    """Trials (by their numbers) in the order of their last scores, worst first; of equals the older is the worse.

    A change costs a binary search, and moving what follows in one list: no sorting.

    >>> ranking = Ranking()
    >>> for trial, loss in enumerate([0.5, 0.1, 0.4, 0.2]):
    ...     ranking.put(trial, loss)
    >>> ranking.worst(0.25), ranking.best(0.25), ranking.rank(2)
    ([0], [1], 3)
    """

    __slots__ = ("_keys", "_order")

    def __init__(self) -> None:
        self._order: list[tuple[float, int]] = []
        self._keys: dict[int, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, trial: int) -> bool:
        return trial in self._keys

    def __repr__(self) -> str:
        return f"Ranking({self._order!r})"

    def put(self, trial: int, score: Score) -> None:
        """Give *trial* its new *score*, lower is better."""
        self.drop(trial)
        key = self._keys[trial] = (-score, trial)
        insort(self._order, key)

    def drop(self, trial: int) -> None:
        """Forget *trial*, if it is there."""
        key = self._keys.pop(trial, None)
        if key is not None:
            del self._order[bisect_left(self._order, key)]

    def score(self, trial: int) -> Score:
        """Return the score of *trial*."""
        return -self._keys[trial][0]

    def rank(self, trial: int) -> int:
        """Return the rank of *trial*, 1 for the best."""
        return len(self._order) - bisect_left(self._order, self._keys[trial])

    def size(self, fraction: float) -> int:
        """Return how many are in each outer quantile; never more than half of all.

        >>> ranking = Ranking()
        >>> for trial in range(5):
        ...     ranking.put(trial, trial)
        >>> ranking.size(0.25), ranking.size(0.5), ranking.size(0.0)
        (2, 2, 0)
        """
        n = len(self._order)
        return min(ceil(n * fraction), n // 2)

    def at_bottom(self, trial: int, fraction: float) -> bool:
        """Return whether *trial* is in the lower quantile."""
        return trial in self._keys and bisect_left(self._order, self._keys[trial]) < self.size(fraction)

    def worst(self, fraction: float) -> list[int]:
        """Return the lower quantile, worst first."""
        return [trial for _, trial in self._order[: self.size(fraction)]]

    def best(self, fraction: float) -> list[int]:
        """Return the upper quantile, the best last."""
        return [trial for _, trial in self._order[len(self._order) - self.size(fraction) :]]

    def nth_best(self, n: int) -> int:
        """Return the trial of rank *n* + 1."""
        return self._order[-1 - n][1]
