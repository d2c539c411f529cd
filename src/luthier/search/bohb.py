"""BOHB's model: kernel densities of good and of bad configs, at the largest budget of which enough is known.

Falkner, Klein, Hutter: "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018, sections 3.1 to
3.3 and Algorithm 2.  The densities are those of :mod:`luthier.search.parzen`: kernels are truncated at the edge of the
space, a choice has a mass function, and an axis that is not alive takes no part (there the paper draws a value for it).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import check, more_than, share, whole
from luthier.core.events import Ended, Reported
from luthier.core.goal import WORST, lookup, number
from luthier.core.space import Space
from luthier.core.terms import Status
from luthier.core.threads import one_thread
from luthier.search.observations import Observations
from luthier.search.parzen import Parzen, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.events import News
    from luthier.core.goal import Score
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, Metrics, TrialId
    from luthier.search.known import Known

_END = 0.0  # the one budget where there are none: a trial's end


class Bohb:
    """Models what scores at each budget of a scheduler say, and proposes by the largest that can be modelled.

    A trial is observed at a budget by its first result whose time reached it; if it fails on the way to one, it is
    observed there as the worst.  Where there are no budgets a trial is observed by its last result.

    Args:
        space: what to search; grids are choices here.
        budgets: the times at which the scheduler compares trials.
        time_attr: the reported field that says how far a trial is.
        min_points_in_model: ``N_min`` of section 3.2: how many configs are good, or bad, at least; the number of axes
            plus 1 where None.  There is a model once one more is known.
        top_n_percent: share of the configs that are good, in percent.
        num_samples: how many points are compared for each proposal.
        random_fraction: share of proposals that are drawn at random.
        bandwidth_factor: how much wider kernels are where points are drawn from them.
        min_bandwidth: the least bandwidth, in units of an axis.
        known: configs that were evaluated elsewhere: at the budget where they were stopped, else at the largest.

    Raises:
        BadArgument: for an argument out of its range.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Float
    >>> 0 <= Bohb({"x": Float(0, 1)}, budgets=(1, 3, 9)).ask(0, rng_at(7, 0))["x"] <= 1
    True
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        budgets: Sequence[float] = (),
        time_attr: str = "training_iteration",
        *,
        min_points_in_model: int | None = None,
        top_n_percent: float = 15,
        num_samples: int = 64,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3,
        min_bandwidth: float = 1e-3,
        known: Sequence[Known] = (),
    ) -> None:
        self.space = space if isinstance(space, Space) else Space(space)
        self.budgets, self.time_attr = tuple(sorted(float(budget) for budget in budgets)), time_attr
        least = len(self.space) + 1
        given = least if min_points_in_model is None else whole("min_points_in_model", min_points_in_model, 1)
        self.least = max(given, least)  # fewer points than axes give no density
        self.share = more_than("top_n_percent", top_n_percent, 0) / 100
        check("top_n_percent", top_n_percent, self.share < 1, "a number below 100")
        self.candidates = whole("num_samples", num_samples, 1)
        self.random = share("random_fraction", random_fraction)
        self.factor = more_than("bandwidth_factor", bandwidth_factor, 0)
        self.min_bandwidth = more_than("min_bandwidth", min_bandwidth, 0)
        self.seen = Observations(self.space, known)
        self._shape = shape_of(self.space.axes)
        self._ranked: dict[float, list[tuple[Score, int]]] = {}  # by budget, best first
        self._scores: dict[tuple[float, int], Score] = {}
        self._at: dict[TrialId, float] = {}  # the budget at which a trial that has not ended was observed last
        ranked = {place.number: place.score for place in self.seen.ranked}
        for place, one in enumerate(known, -len(known)):
            if place in ranked or place in self.seen.bad:
                self._observe(self._budget_of(one.rung), place, ranked.get(place, WORST))

    def __repr__(self) -> str:
        return f"Bohb({self.budgets}, {self.seen!r}, {self._ranked}, {self._at})"

    # -- what is known -------------------------------------------------------------------------------------------------
    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        if isinstance(news, Reported):
            self._hear(news, experiment)
        elif isinstance(news, Ended):
            self._leave(news, experiment)
        self.seen.tell(news, experiment)

    def _hear(self, news: Reported, experiment: ExperimentView) -> None:
        budget = self._reached(news.metrics)
        if budget is None or budget <= self._at.get(news.trial, 0.0):
            return
        score = experiment.goals[0].score(news.metrics)
        place = experiment.trial(news.trial).number
        if score is not None and place in self.seen.pending:
            self._at[news.trial] = budget
            self._observe(budget, place, score if score > -WORST else WORST)

    def _leave(self, news: Ended, experiment: ExperimentView) -> None:
        trial = experiment.trial(news.trial)
        last = self._at.pop(news.trial, 0.0)
        if trial.number not in self.seen.pending:
            return
        if trial.status is Status.FAILED:
            later = bisect_right(self.budgets, last)
            if not self.budgets:
                self._observe(last or _END, trial.number, WORST)
            elif later < len(self.budgets):
                self._observe(self.budgets[later], trial.number, WORST)
        elif not self.budgets and not last and trial.score is not None:
            self._observe(_END, trial.number, trial.score if trial.score > -WORST else WORST)

    def _reached(self, metrics: Metrics) -> float | None:
        """Return the largest budget that a result reached; what the result itself says goes first, as in Ray Tune."""
        said = number(lookup(metrics, "hyperband_info/budget"))
        if said is not None or not self.budgets:
            return said
        time = number(lookup(metrics, self.time_attr))
        place = 0 if time is None else bisect_right(self.budgets, time)
        return self.budgets[place - 1] if place else None

    def _budget_of(self, rung: float | None) -> float:
        if not self.budgets:
            return _END
        place = len(self.budgets) if rung is None else bisect_right(self.budgets, rung)
        return self.budgets[max(place - 1, 0)]

    def _observe(self, budget: float, place: int, score: Score) -> None:
        ranked, before = self._ranked.setdefault(budget, []), self._scores.get((budget, place))
        if before is not None:
            del ranked[bisect_left(ranked, (before, place))]
        self._scores[budget, place] = score
        insort(ranked, (score, place))

    # -- what to try ---------------------------------------------------------------------------------------------------
    @one_thread("numpy")
    def ask(self, number: int, rng: Rng) -> Config:
        """Return the *number*-th config."""
        budget = max((b for b, ranked in self._ranked.items() if len(ranked) > self.least), default=None)
        if budget is None or not self.space.axes or rng.random() < self.random:
            return self.seen.unlike([self.space.sample(rng)], rng) if self.space.axes else self.space.sample(rng)
        good, bad = self._split(self._ranked[budget])
        points = good.widened(self.factor).sample(self.candidates, rng.numpy())
        ratio = good.log_density(points) - bad.log_density(points)
        order = (-ratio).argsort(kind="stable")
        found = (self.space.decode(points[k].tolist(), rng.split(place)) for place, k in enumerate(order))
        return self.seen.unlike(found, rng)

    def _split(self, ranked: Sequence[tuple[Score, int]]) -> tuple[Parzen, Parzen]:
        """Return the densities of the good and of the bad: equation (3)."""
        import numpy as np

        total = len(ranked)
        good = max(self.least, int(self.share * total))
        bad = max(self.least, total - good)

        def density(some: Sequence[tuple[Score, int]]) -> Parzen:
            rows = self.seen.rows([place for _, place in some])
            weights = np.append(np.ones(len(rows)), 0.0)
            return Parzen(self._shape, rows, weights, own_width=False, least=self.min_bandwidth)

        return density(ranked[:good]), density(ranked[-bad:])
