"""What a model-based searcher knows: where trials are, and how good they were."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from luthier.core.errors import BadArgument
from luthier.core.events import Ended, Exited, Proposed
from luthier.core.goal import WORST, Score
from luthier.core.terms import Status, Then
from luthier.search.distinct import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView, TrialView
    from luthier.core.rng import Rng
    from luthier.core.space import Space
    from luthier.core.terms import Config, TrialId, Why
    from luthier.search.known import Known

_FULL = float("-inf")  # goes before each trial that was stopped early
_DRAWS = 256  # in search of a config that was not tried
_DRAWN = 1 << 20  # places of these draws, away from others


class Place(NamedTuple):
    """Where a trial stands among the others; the least is the best.

    Attributes:
        early: minus the rung at which it was stopped; -inf where nobody cut it short.
        score: its last score.
        number: its number in the experiment.
    """

    early: float
    score: Score
    number: int


class Observations:
    """The trials of an experiment as points of a unit cube, best first.

    A trial that a scheduler stopped at a rung goes after all that were let run, and after those that came to a higher
    rung; at the same rung the score decides.  A trial that failed, or never had a finite score, is *bad*: it has a
    place in the cube and none in the order.  One that has not ended yet is *pending*.

    Args:
        space: gives the cube its axes.
        known: what was evaluated elsewhere; its numbers are below 0.

    Attributes:
        ranked: the places of those with a score, best first.
        bad: numbers of the trials without.
        pending: numbers of the trials that have not ended.
        vectors: scores for all goals, by number; only where there is more than one goal.
        tried: what has been tried, or is being tried.
    """

    def __init__(self, space: Space, known: Sequence[Known] = ()) -> None:
        self.space, self._before = space, len(known)
        self.ranked: list[Place] = []
        self.bad: dict[int, None] = {}
        self.pending: dict[int, None] = {}
        self.vectors: dict[int, tuple[Score, ...]] = {}
        self.tried: set[bytes] = set()
        self._size = math.prod(size(axis.domain) for axis in space.axes)  # at most: not all are alive at once
        self._places: dict[int, Place] = {}
        self._cut: dict[TrialId, Why | None] = {}  # of trials that were stopped, until they have ended
        self._rows: Any = None  # made with the first row: numpy is not loaded before
        for number, (config, scores, rung) in enumerate(known, -len(known)):
            if not self._put(number, config):
                continue
            if scores is None or not all(map(finite, scores)):
                self.bad[number] = None
                continue
            if len(scores) > 1:
                self.vectors[number] = scores
            self._rank(Place(_FULL if rung is None else -rung, scores[0], number))

    def __repr__(self) -> str:
        return f"Observations({len(self.ranked)} ranked, {len(self.bad)} bad, {len(self.pending)} pending)"

    def __len__(self) -> int:
        return len(self.ranked) + len(self.bad)

    def rows(self, numbers: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the trials of those numbers as points: one row each, NaN for axes that are not alive."""
        import numpy as np

        rows: npt.NDArray[np.float64] = self._rows[np.asarray(numbers, dtype=np.intp) + self._before]
        return rows

    def place(self, number: int) -> Place | None:
        """Return where the trial of that number stands; None if it has no score."""
        return self._places.get(number)

    def unlike(self, configs: Iterable[Config], rng: Rng) -> Config:
        """Return the first of *configs*, one at least, that was not tried; where all were, one that is drawn.

        Where the space has no others, or few, it is one that does not run at the time, and at last the first.
        """
        import numpy as np

        running: set[bytes] | None = None
        first = idle = None
        draws = (self.space.sample(rng.split(_DRAWN + draw)) for draw in range(_DRAWS))
        for config in chain(configs, draws):
            key = np.array(self.space.encode(config)).tobytes()
            if key not in self.tried:
                return config
            if running is None:
                running = {row.tobytes() for row in self.rows(list(self.pending))}
            first = config if first is None else first
            idle = config if idle is None and key not in running else idle
            if idle is not None and len(self.tried) >= self._size:
                break
        assert first is not None  # noqa: S101 (there is one)
        return first if idle is None else idle

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        if isinstance(news, Proposed):
            if self._put(news.number, news.config):
                self.pending[news.number] = None
        elif isinstance(news, Exited):
            order = experiment.trial(news.trial).order
            if order is not None and order.then is Then.STOP:
                self._cut[news.trial] = order.why
        elif isinstance(news, Ended):
            trial = experiment.trial(news.trial)
            self._forget(trial.number)
            why = self._cut.pop(news.trial, news.why)
            if self._put(trial.number, trial.config):
                self._judge(trial, experiment, why)

    def _judge(self, trial: TrialView, experiment: ExperimentView, why: Why | None) -> None:
        number, score = trial.number, trial.score
        if trial.status is Status.FAILED or not finite(score):
            self.bad[number] = None
            return
        if len(experiment.goals) > 1:
            scores = [goal.score(trial.metrics) for goal in experiment.goals]
            known = tuple(score for score in scores if finite(score))
            if len(known) < len(scores):
                self.bad[number] = None
                return
            self.vectors[number] = known
        self._rank(Place(_early(why) if trial.status is Status.STOPPED else _FULL, score, number))

    def _rank(self, place: Place) -> None:
        self._places[place.number] = place
        insort(self.ranked, place)

    def _forget(self, number: int) -> None:
        """Drop what was known of a trial that ends, perhaps not for the first time."""
        self.pending.pop(number, None)
        self.bad.pop(number, None)
        self.vectors.pop(number, None)
        place = self._places.pop(number, None)
        if place is not None:
            del self.ranked[bisect_left(self.ranked, place)]

    def _put(self, number: int, config: Config) -> bool:
        import numpy as np

        try:
            vector = self.space.encode(config)
        except BadArgument:  # somebody had it tried that is not of this space: nothing is to be learnt
            return False
        number += self._before
        if self._rows is None:
            self._rows = np.full((64, len(vector)), np.nan)
        if number >= len(self._rows):
            more = np.full((max(number + 1, 2 * len(self._rows)), len(vector)), np.nan)
            more[: len(self._rows)] = self._rows
            self._rows = more
        self._rows[number] = vector
        self.tried.add(self._rows[number].tobytes())
        return True


def rung_of(why: Mapping[str, Any] | None) -> float | None:
    """Return the rung at which a scheduler cut a trial short, by what it said.

    None where the trial came to its end; a stop condition of the user's cuts nothing short.
    """
    if not why or "max_t" in why:
        return None
    at = why.get("rung", why.get("time"))
    return float(at) if isinstance(at, (int, float)) else None


def finite(score: Score | None) -> TypeGuard[Score]:
    """Whether there is a *score* to go by: one that is missing, NaN or infinite says nothing.

    >>> finite(3.0), finite(None), finite(WORST), finite(-WORST)
    (True, False, False, False)
    """
    return score is not None and -WORST < score < WORST


def _early(why: Mapping[str, Any] | None) -> float:
    rung = rung_of(why)
    return _FULL if rung is None else -rung
