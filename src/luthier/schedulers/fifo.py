"""First in, first out; nothing is ever stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.events import News
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId


class Fifo:
    """Lets every trial run to its end, in the order in which they were proposed.

    >>> Fifo().pick(["t_00000", "t_00001"], experiment=None)
    't_00000'
    """

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return nothing: all carry on."""
        return ()

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return the first that waits."""
        return next(iter(waiting), None)
