"""PASHA: ASHA whose maximum of resources grows only while it changes who is best.

Bohdal, Balles, Wistuba, Ermis, Archambeau, Zappella: "PASHA: Efficient HPO and NAS with Progressive Resource
Allocation", ICLR 2023 (arXiv 2207.06940): Algorithm 1, its soft ranking, and its estimate of the noise in rankings.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING

from luthier.core.arguments import share
from luthier.schedulers.promotion import AshaPromotion, Landing, Place

if TYPE_CHECKING:
    from luthier.core.goal import Goal, Score
    from luthier.core.terms import TrialId, Why

PEERS = 16  # with how many of those that came last one that comes is compared, to estimate the noise


class Ranking:
    """Trials in the order of their scores.

    Attributes:
        places: the best first.
        trials: the same, their ids only.
    """

    __slots__ = ("places", "trials")

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.trials: list[TrialId] = []

    def __repr__(self) -> str:
        return f"Ranking({self.places})"

    def add(self, place: Place) -> None:
        """Put *place* where it belongs."""
        at = bisect_left(self.places, place)
        self.places.insert(at, place)
        self.trials.insert(at, place.trial)


class Pasha(AshaPromotion):
    """Promotes as ASHA does, but up to a top rung that is low at first.

    The top rung is the second at the beginning.  When a trial comes there, those that have come are ranked by what
    they had there and by what they had one rung before.  If a place is taken by a trial that was worse or better by
    more than epsilon than who held it, the ranking is not stable, and the next rung becomes the top one.

    Epsilon is what noise alone does to the metric: the *noise_quantile* of the distances between trials that have
    overtaken each other at least twice.  Where reports are given at times that do not coincide, such as seconds, only
    what was reported at the rungs can be compared.

    Trials end at the top rung: the best one has not seen *max_t* unless rankings stayed unstable up to there.  Train it
    anew with all you have, as the authors do.

    Args:
        time_attr: metric that says how far a trial is.
        goal: what is compared; the experiment's first goal where None.
        max_t: time that no trial goes beyond.
        grace_period: time of the lowest rung.
        reduction_factor: how many come to a rung for one that goes on, and how far apart rungs are.
        noise_quantile: which quantile of the distances is epsilon.

    Raises:
        BadArgument: for an argument out of its range.

    >>> Pasha(max_t=27, reduction_factor=3)
    Pasha(rungs at 1, 3, 9; ends at 27; top 3, epsilon 0)
    """

    def __init__(
        self,
        time_attr: str = "training_iteration",
        goal: Goal | None = None,
        max_t: float = 100,
        grace_period: float = 1,
        reduction_factor: float = 4,
        noise_quantile: float = 0.9,
    ) -> None:
        super().__init__(time_attr, goal, max_t, grace_period, reduction_factor)
        self.noise_quantile = share("noise_quantile", noise_quantile)
        self._top = min(1, len(self._landings))  # beyond the last rung there is max_t
        self._places: list[dict[TrialId, Place]] = [{} for _ in self._landings]
        self._curves: dict[TrialId, dict[float, Score]] = {}  # of each trial that has not ended: time -> score
        self._epsilon = 0.0
        self._noise: list[float] = []
        self._now, self._before = Ranking(), Ranking()  # who came to the top rung: there, and one rung before

    def __repr__(self) -> str:
        levels = [landing.level for landing in self._landings] + [self.max_t]
        return f"{super().__repr__()[:-1]}; top {levels[self._top]:g}, epsilon {self._epsilon:g})"

    def _most(self) -> int:
        return self._top

    def _is_over(self) -> bool:
        return self._arrived or (self._top < len(self._landings) and bool(self._landings[self._top].came))

    def _forget(self, trial: TrialId) -> None:
        super()._forget(trial)
        self._curves.pop(trial, None)

    def _heed(self, trial: TrialId, now: float, score: Score) -> None:
        self._curves.setdefault(trial, {})[now] = score

    def _why(self, landing: Landing, place: Place, goal: Goal) -> Why:
        at_top = self._top == len(self._landings)
        top = self.max_t if at_top else self._landings[self._top].level
        return {**super()._why(landing, place, goal), "top": top, "epsilon": self._epsilon}

    def _compare(self, place: Place, at: int) -> None:
        trial = place.trial
        self._places[at][trial] = place
        self._curves[trial][self._landings[at].level] = place.score
        if at != self._top:
            return
        before = self._places[at - 1].get(trial)
        if before is None:  # it skipped that rung
            return
        self._estimate(trial)
        self._now.add(place)
        self._before.add(before)
        if not self._is_stable(self._places[at - 1]):
            self._top += 1
            self._noise, self._now, self._before = [], Ranking(), Ranking()

    def _is_stable(self, before: dict[TrialId, Place]) -> bool:
        """Return whether each place is held by one as good as who held it one rung before, give or take epsilon."""
        now, then, epsilon = self._now.trials, self._before, self._epsilon
        if now == then.trials:  # much quicker than to look at each
            return True
        for trial, place in zip(now, then.places, strict=True):
            if trial != place.trial and abs(before[trial].score - place.score) > epsilon:
                return False
        return True

    def _estimate(self, trial: TrialId) -> None:
        """Measure the noise between *trial* and those that came to the top rung before it."""
        mine, found = self._curves[trial], False
        times = sorted(mine, reverse=True)
        for other in islice(reversed(self._places[self._top]), 1, PEERS + 1):
            distance = crossed(mine, self._curves.get(other, {}), times)
            if distance is not None and isfinite(distance):
                insort(self._noise, distance)
                found = True
        if found:
            at = (len(self._noise) - 1) * self.noise_quantile
            low = self._noise[int(at)]
            self._epsilon = low + (at - int(at)) * (self._noise[min(int(at) + 1, len(self._noise) - 1)] - low)


def crossed(one: dict[float, Score], other: dict[float, Score], times: list[float]) -> float | None:
    """Return how far apart two curves are at their last common time, if they changed sides at least twice; else None.

    Args:
        one: what a trial had, by time.
        other: what another had.
        times: the times of *one*, the last one first.

    >>> crossed({1: 0.5, 2: 0.3, 3: 0.25}, {1: 0.6, 2: 0.2, 3: 0.5}, [3, 2, 1])
    0.25
    >>> crossed({1: 0.5, 2: 0.3, 3: 0.25}, {1: 0.6, 2: 0.4, 3: 0.2}, [3, 2, 1]) is None
    True
    """
    ahead, opposite, distance = None, False, 0.0
    for time in times:
        theirs = other.get(time)
        if theirs is None:
            continue
        mine = one[time]
        if ahead is None:
            ahead, distance = mine > theirs, abs(mine - theirs)
        elif (mine > theirs) is not ahead:
            opposite = True
        elif opposite:
            return distance
    return None
