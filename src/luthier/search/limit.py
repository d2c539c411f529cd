"""A searcher that is asked only while few of its trials are under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.arguments import whole
from luthier.core.events import Ended, Proposed
from luthier.core.explained import explained
from luthier.core.policy import Nothing

if TYPE_CHECKING:
    from luthier.core.events import News
    from luthier.core.policy import ExperimentView, Searcher
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, TrialId, Why


class Limit:
    """Lets *searcher* have at most *most* trials that have not ended; paused ones count.

    Args:
        searcher: who chooses.
        most: how many trials, at least 1.
        batch: whether it hears of ends only when all its trials have ended, of all at once; until then it is not
            asked again once *most* trials were born.

    Raises:
        BadArgument: *most* is no whole number above 0.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.search.fixed import Fixed
    >>> Limit(Fixed([{"x": 1}]), 2).ask(0, rng_at(7, 0))
    {'x': 1}
    """

    def __init__(self, searcher: Searcher, most: int, batch: bool = False) -> None:
        self.searcher, self.most, self.batch = searcher, whole("max_concurrent", most, 1), bool(batch)
        self.replayable = getattr(searcher, "replayable", True)
        self._live: dict[TrialId, None] = {}
        self._held: dict[TrialId, Ended] = {}  # ends that are still to be told

    def __repr__(self) -> str:
        return f"Limit({self.searcher!r}, {self.most}, {self.batch}: {list(self._live)}, {list(self._held)})"

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return what the searcher says, or NOT_YET."""
        return Nothing.NOT_YET if len(self._live) >= self.most else self.searcher.ask(number, rng)

    def explain(self, number: int) -> Why | None:
        """Return what the searcher says."""
        return explained(self.searcher, number)

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Pass *news* on; in a batch, an end only when it is the last."""
        if isinstance(news, Proposed) and not news.enqueued:
            self._live[news.trial] = None
        elif isinstance(news, Ended) and news.trial in self._live:
            if not self.batch:
                del self._live[news.trial]
            else:
                self._held[news.trial] = news
                if len(self._held) == len(self._live):
                    ends = list(self._held.values())
                    self._held, self._live = {}, {}
                    for end in ends:
                        self.searcher.tell(end, experiment)
                return
        self.searcher.tell(news, experiment)
