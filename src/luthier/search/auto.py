"""The searcher that suits a space and a budget: it asks one of the others, and says which and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import BadArgument, BadArgumentType
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
    from luthier.core.terms import Config

GP_TRIALS = 200  # beyond, a Gaussian process costs more than it tells
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


def choose(space: Space, goals: int, told: int, pending: int = 0, budget: int | None = None) -> Choice:
    """Return who is to be asked.

    Args:
        space: what is searched.
        goals: how many goals there are.
        told: how many results there are.
        pending: how many trials run.
        budget: how many trials there will be, where that is known.

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
    few = told < GP_TRIALS and d <= GP_AXES
    if few and pending < GP_PENDING:
        bought = "" if budget is None else f" of {budget} trials"
        return Choice("gp", f"{d} axes, fewer than {GP_TRIALS} results so far{bought}")
    crowd = f", {pending} trials at a time" if few else ""
    mixed = any(isinstance(axis.domain, Categorical) or axis.condition is not None for axis in space.axes)
    if told < GP_TRIALS:
        return Choice("tpe", f"{d} axes{crowd}, few results")
    if not mixed and d <= CMA_AXES:
        return Choice("cmaes", f"numbers only, {GP_TRIALS} results or more")
    if told < MANY:
        return Choice("tpe", f"choices or conditions, or more than {CMA_AXES} axes; {GP_TRIALS} results or more")
    return Choice("evolution", f"choices or conditions, or more than {CMA_AXES} axes; {MANY} results or more")


class Auto:
    """Asks a Gaussian process while results are few, then CMA-ES, TPE or evolution, as the space wants.

    Args:
        space: what to search; grids are choices here.
        budget: how many trials there will be, where that is known; it is only said.
        seed: of the points before there is anything to go by.
        known: configs that were evaluated elsewhere.

    Attributes:
        choice: who is asked now, and why.

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
    ) -> None:
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int)):
            raise BadArgumentType("budget", budget, "a whole number, or None")
        if budget is not None and budget < 1:
            raise BadArgument("budget", budget, "a whole number above 0, or None")
        self.space = space if isinstance(space, Space) else Space(space)
        self.budget, self.seed, self.goals = budget, seed, goals
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
        return choose(self.space, self.goals, len(self.seen), len(self.seen.pending), self.budget)

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
            return self._cmaes.ask(number, rng)
        one = {"gp": self._gp, "evolution": self._evolution}.get(name, self._tpe)
        return one.ask(number, rng)
