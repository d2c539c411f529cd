"""Early termination by Hyperband's bands, as W&B's sweeps do it: nobody is paused, and any run may be judged again.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: "Hyperband: A Novel Bandit-Based Approach to Hyperparameter
Optimization", JMLR 18 (2018), gave the name and the spacing of the bands.  The rule itself is the one of the ``sweeps``
package (``early_terminate: {type: hyperband}``).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from luthier.core.arguments import flag, more_than, whole
from luthier.core.errors import BadArgument
from luthier.core.events import Ended, Exited, Proposed, Reported
from luthier.core.goal import WORST
from luthier.core.policy import Stop
from luthier.schedulers.arguments import goal_in, own_goal
from luthier.schedulers.fifo import Fifo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from luthier.core.events import News
    from luthier.core.goal import Goal, Score
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId

_MOST_BANDS = 100
_FAR = 2.0**53  # rows; a band beyond them is never reached


class _Band:
    """What the trials had at one number of rows.

    Attributes:
        rows: that number.
        scores: of all that came so far, best (lowest) first.
        had: the score of each of them here.
        here: those that run and have not come to the next band.
    """

    __slots__ = ("had", "here", "rows", "scores")

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.scores: list[Score] = []
        self.had: dict[TrialId, Score] = {}
        self.here: dict[TrialId, None] = {}

    def enter(self, trial: TrialId, score: Score) -> None:
        """Note *score*; in place of an earlier one, where the trial began anew."""
        before = self.had.get(trial)
        if before is not None:
            del self.scores[bisect_left(self.scores, before)]
        self.had[trial] = score
        insort(self.scores, score)
        self.here[trial] = None


class _Course:
    """How far a trial is.

    Attributes:
        attempt: the one that it is in.
        rows: how many rows with the metric it has reported.
        best: its best score.
        band: the number of the last band that it has come to; -1 for none.
        saved: rows and band at its last checkpoint, from which another attempt goes on.
    """

    __slots__ = ("attempt", "band", "best", "rows", "saved")

    def __init__(self) -> None:
        self.attempt, self.rows, self.band, self.best = 0, 0, -1, WORST
        self.saved = (0, -1)


class HyperbandStopping(Fifo):
    """Stops a trial that is not among the best ``1/eta`` of all that came to its band, whenever that shows.

    Progress is the number of results in which the metric is a finite number; others do not count.  Bands lie at
    ``min_iter * eta**k``, or, where *max_iter* is given, at ``max_iter / eta**k`` for k = 1 to *s*, rounded down.  A
    trial is judged at the last band that it has come to, and again each time that somebody else comes there: of n
    trials the one in place ``int(n / eta)``, counted from 0, is the last that stays.

    Args:
        goal: what is compared; the experiment's first goal where None.
        min_iter: the first band.
        max_iter: where bands are counted down from.
        s: how many bands there are below *max_iter*.
        eta: what share passes, and how far bands are apart; above 1.
        strict: whether a trial is judged by what it had at the band; by its best so far otherwise.

    Raises:
        BadArgument: for an argument out of its range, or where no band is left.

    >>> HyperbandStopping(max_iter=27, s=2), HyperbandStopping(min_iter=3).bands[:4]
    (HyperbandStopping(bands at 3, 9), (3, 9, 27, 81))
    """

    def __init__(
        self,
        goal: Goal | None = None,
        min_iter: int | None = None,
        max_iter: int | None = None,
        s: int | None = None,
        eta: float = 3,
        strict: bool = True,
    ) -> None:
        self.goal, self.strict = own_goal(goal), flag("strict", strict)
        self.eta = more_than("eta", eta, 1)
        if max_iter is not None:
            if s is None:
                raise BadArgument("s", s, "how many bands there are below max_iter")
            rows = list(_below(whole("max_iter", max_iter, 1), whole("s", s, 1), eta))
            if not rows:
                raise BadArgument("max_iter", max_iter, f"more than eta, which is {eta:g}", "no band lies below it")
        elif min_iter is not None:
            rows = list(_from(whole("min_iter", min_iter, 1), eta))
        else:
            raise BadArgument("min_iter", None, "the first band, or max_iter and s")
        self._bands = [_Band(at) for at in sorted(set(rows))]
        self._number = {band.rows: number for number, band in enumerate(self._bands)}
        self._courses: dict[TrialId, _Course] = {}
        self._stopped: set[TrialId] = set()

    @property
    def bands(self) -> tuple[int, ...]:
        """The numbers of results at which trials are compared."""
        return tuple(band.rows for band in self._bands)

    def __repr__(self) -> str:
        first, more = self.bands[:5], ", ..." if len(self._bands) > 5 else ""  # noqa: PLR2004 (enough to see)
        return f"{type(self).__name__}(bands at {', '.join(map(str, first))}{more})"

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return who is to stop now: the trial in the news, or others at its band.

        Raises:
            BadArgument: there is nothing to compare: neither this scheduler nor the experiment has a goal.
        """
        if isinstance(news, Reported):
            return self._hear(news, experiment)
        if isinstance(news, Proposed):
            goal_in(self.goal, experiment, "Hyperband's early termination")  # complains before anything has run
        elif isinstance(news, Exited):
            self._leave(news.trial, saved=news.checkpoint is not None)
        elif isinstance(news, Ended):
            self._leave(news.trial)
            self._courses.pop(news.trial, None)
        return super().decide(news, experiment, rng)

    def _hear(self, news: Reported, experiment: ExperimentView) -> Sequence[Decision]:
        trial = news.trial
        if trial in self._stopped:
            return ()  # a late result: it is letting go
        course = self._courses.get(trial)
        if course is None:
            course = self._courses[trial] = _Course()
        if news.attempt != course.attempt:
            self._leave(trial)
            course.attempt = news.attempt
            course.rows, course.band = course.saved
            if course.band >= 0:
                self._bands[course.band].here[trial] = None
        goal = goal_in(self.goal, experiment, "Hyperband's early termination")
        score = goal.score(news.metrics)
        decisions: Sequence[Decision] = ()
        if score is not None and -WORST < score < WORST:
            course.rows += 1
            if score < course.best:  # noqa: PLR1730 (faster so)
                course.best = score
            number = self._number.get(course.rows)
            if number is not None:
                self._leave(trial)
                course.band = number
                self._bands[number].enter(trial, score)
                decisions = list(self._judge(self._bands[number], goal))
        if news.checkpoint is not None:
            course.saved = (course.rows, course.band)
        return decisions

    def _leave(self, trial: TrialId, *, saved: bool = False) -> None:
        course = self._courses.get(trial)
        if course is None:
            return
        if saved:
            course.saved = (course.rows, course.band)
        if course.band >= 0:
            self._bands[course.band].here.pop(trial, None)

    def _judge(self, band: _Band, goal: Goal) -> Iterator[Decision]:
        scores = band.scores
        threshold = scores[int(1.0 / self.eta * len(scores))]
        for trial in list(band.here):
            score = band.had[trial] if self.strict else self._courses[trial].best
            if score <= threshold:
                continue
            del band.here[trial]
            self._stopped.add(trial)
            rank, of = bisect_left(scores, score) + 1, len(scores)
            reason = (
                f"band {band.rows}: {goal.metric} {goal.value(score):.6g} is worse than the threshold "
                f"{goal.value(threshold):.6g} (rank {rank} of {of})"
            )
            why = {
                "metric": goal.metric,
                "value": goal.value(score),
                "band": band.rows,
                "threshold": goal.value(threshold),
                "rank": rank,
                "of": of,
            }
            yield Stop(trial, reason, why)


def _from(least: int, eta: float) -> Iterator[int]:
    """Yield *least* times each power of *eta*."""
    band: float = least
    for _ in range(_MOST_BANDS):
        if band > _FAR:
            return
        yield int(band)
        band *= eta


def _below(most: int, s: int, eta: float) -> Iterator[int]:
    """Yield *most* divided by *s* powers of *eta*, down to 1."""
    band: float = most
    for _ in range(s):
        band /= eta
        if band < 1:
            return
        yield int(band)
