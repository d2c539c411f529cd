"""Points that somebody wants tried before a searcher has its say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.explained import explained
from luthier.core.policy import Nothing
from luthier.core.space import Space, fixed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView, Searcher
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, Why


class Given:
    """Proposes *points* in their order, then whatever *searcher* does.

    Args:
        points: configs of *space*, or parts of such: what they leave open is drawn; or spaces to draw from.
        space: the search space.
        searcher: who goes on; it counts from 0, and hears of all trials.  None: nobody.

    Raises:
        BadArgument: if a point names what *space* does not have.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Categorical
    >>> Given([{"a": 3}], Space({"a": Categorical([1, 2, 3]), "b": 5})).ask(0, rng_at(7, 0))
    {'a': 3, 'b': 5}
    """

    def __init__(self, points: Iterable[Any], space: Space, searcher: Searcher | None = None) -> None:
        self.searcher = searcher
        self._points = [
            fixed(space, point, f"points_to_evaluate[{i}]") if isinstance(point, dict) else point
            for i, point in enumerate(points)
        ]

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return the *number*-th config."""
        if number < len(self._points):
            return self._points[number].sample(rng)
        return Nothing.EXHAUSTED if self.searcher is None else self.searcher.ask(number - len(self._points), rng)

    def explain(self, number: int) -> Why | None:
        """Return by whom the *number*-th config is chosen; the points are nobody's choice."""
        place = number - len(self._points)
        return None if place < 0 or self.searcher is None else explained(self.searcher, place)

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Pass *news* on."""
        if self.searcher is not None:
            self.searcher.tell(news, experiment)
