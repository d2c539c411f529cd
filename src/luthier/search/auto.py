"""The searcher that suits a space and a budget: it asks one of the others, and says which and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.arguments import whole
from luthier.core.space import Categorical, Space
from luthier.search.cmaes import Cmaes
from luthier.search.evolution import Evolution
from luthier.search.gp import Gp
from luthier.search.known import Known
from luthier.search.observations import Observations
from luthier.search.tpe import Tpe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, Why

GP_TRIALS = 200  # beyond, a Gaussian process costs more than it tells
LITTLE_MORE = 300  # trials in all: until then it goes on with what it has
GP_AXES = 40
GP_PENDING = 64  # proposals that are made at about the same time: each would take its tenth of a second
CMA_AXES = 100
MANY = 2000  # trials after which densities cost more than breeding


class Choice(NamedTuple):
    """Who is asked.

    Attributes:
        name: ``"gp"``, ``"cmaes"``, ``"tpe"`` or ``"evolution"``.
        why: in words.
    """

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


def choose(space: Space, goals: int, told: int, pending: int = 0, gp_trials: int = GP_TRIALS) -> Choice:
    """Return who is to be asked.

    Args:
        space: what is searched.
        goals: how many goals there are.
        told: how many results there are.
        pending: how many trials run.
        gp_trials: how many results are few.

    >>> from luthier.core.space import Float
    >>> space = Space({"x": Float(0, 1)})
    >>> choose(space, 1, told=10).name, choose(space, 1, told=1000).name, choose(space, 2, told=10).name
    ('gp', 'cmaes', 'tpe')
    """
    d = len(space)
    if goals > 1:
        if told < MANY:
            return Choice("tpe", f"{goals} goals")
        return Choice("evolution", f"{goals} goals, and {MANY} results or more")
    few = told < gp_trials and d <= GP_AXES
    if few and pending < GP_PENDING:
        return Choice("gp", f"{_axes(d)}, fewer than {gp_trials} results")
    crowd = f", {pending} trials at a time" if few else ""
    mixed = any(isinstance(axis.domain, Categorical) or axis.condition is not None for axis in space.axes)
    if told < gp_trials:
        return Choice("tpe", f"{_axes(d)}{crowd}, fewer than {gp_trials} results")
    if not mixed and d <= CMA_AXES:
        return Choice("cmaes", f"numbers only, {gp_trials} results or more")
    if told < MANY:
        return Choice("tpe", f"choices or conditions, or more than {CMA_AXES} axes; {gp_trials} results or more")
    return Choice("evolution", f"choices or conditions, or more than {CMA_AXES} axes; {MANY} results or more")


def _axes(d: int) -> str:
    return "1 axis" if d == 1 else f"{d} axes"


class Auto:
    """Asks a Gaussian process while results are few, then CMA-ES, TPE or evolution, as the space wants.

    Args:
        space: what to search; grids are choices here.
        budget: how many trials there will be, where that is known.
        seed: of the points before there is anything to go by.
        known: configs that were evaluated elsewhere.
        goals: how many goals there are.
        gp_trials: how many results are few; by the budget where None.

    Raises:
        BadArgument: for an argument out of its range.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Float
    >>> searcher = Auto({"x": Float(0, 1)})
    >>> 0 <= searcher.ask(0, rng_at(7, 0))["x"] <= 1, searcher.choice.name
    (True, 'gp')
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        budget: int | None = None,
        seed: int = 0,
        known: Sequence[Known] = (),
        goals: int = 1,
        gp_trials: int | None = None,
    ) -> None:
        self.space = space if isinstance(space, Space) else Space(space)
        self.budget, self.seed, self.goals = None if budget is None else whole("budget", budget, 1), seed, goals
        # Who buys a little more than a few had better not change horses for the rest.
        most = GP_TRIALS if budget is None or budget > LITTLE_MORE else max(GP_TRIALS, budget)
        self.gp_trials = most if gp_trials is None else whole("gp_trials", gp_trials, 0)
        self.seen = Observations(self.space, known)
        self._gp, self._tpe = Gp(self.space, seed=seed), Tpe(self.space)
        self._evolution = Evolution(self.space, population=40, seed=seed)
        for one in (self._gp, self._tpe, self._evolution):
            one.seen = self.seen  # one memory for all
        self._cmaes: Cmaes | None = None

    def __repr__(self) -> str:
        return f"Auto({self.choice.name}, {self.seen!r}, {self._cmaes!r})"

    @property
    def choice(self) -> Choice:
        """Who is asked now, and why."""
        return choose(self.space, self.goals, len(self.seen), len(self.seen.pending), self.gp_trials)

    def explain(self, number: int) -> Why:
        """Return who is asked now, and why."""
        name, why = self.choice
        return {"by": name, "because": why}

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        self.seen.tell(news, experiment)
        if self._cmaes is not None:
            self._cmaes.tell(news, experiment)
        elif self.choice.name == "cmaes" and self.seen.ranked:
            # It goes on from the best that is known, with about the spread that the best have.
            best = self.seen.ranked[0]
            config = self.space.decode(self.seen.rows([best.number])[0].tolist())
            self._cmaes = Cmaes(self.space, self._spread(), seed=self.seed, known=[Known(config, (best.score,))])

    def _spread(self) -> float:
        import numpy as np

        rows = self.seen.rows([place.number for place in self.seen.ranked[: 4 + len(self.space)]])
        return float(np.clip(np.sqrt(((rows - rows[0]) ** 2).mean()), 0.01, 0.25))

    def ask(self, number: int, rng: Rng) -> Config:
        """Return the *number*-th config."""
        name = self.choice.name
        if name == "cmaes" and self._cmaes is not None:
            return self.seen.unlike([self._cmaes.ask(number, rng)], rng)  # which knows but one of those before
        if name == "gp":
            return self._gp.ask(number, rng)
        return (self._evolution if name == "evolution" else self._tpe).ask(number, rng)
