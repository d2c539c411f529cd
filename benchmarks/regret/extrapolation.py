"""A rule under study: stop what will not be among the best, as its learning curve foretells.

Domhan, Springenberg, Hutter: "Speeding up Automatic Hyperparameter Optimization of Deep Neural Networks by
Extrapolation of Learning Curves", IJCAI 2015, section 4: stop a trial where the probability that it ends better than
the best so far is below *delta*.  Here the curve is one power law ``a + b * t**-c``: c is on a grid, and (a, b) are
Gaussian given c.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luthier.core.events import Reported
from luthier.core.policy import Stop
from luthier.schedulers.fifo import Fifo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.events import News
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId

POWERS = (0.3, 0.5, 0.75, 1.0, 1.5)


class Sums:
    """What least squares take, for each power: weights grow with the step, since noise shrinks."""

    __slots__ = ("sums",)

    def __init__(self) -> None:
        self.sums = [[0.0] * 6 for _ in POWERS]

    def add(self, step: float, loss: float) -> None:
        """Learn one result."""
        for power, s in zip(POWERS, self.sums, strict=True):
            x, w = step**-power, step
            s[0] += w
            s[1] += w * x
            s[2] += w * x * x
            s[3] += w * loss
            s[4] += w * x * loss
            s[5] += w * loss * loss

    def better(self, than: float, n: int, end: float) -> float:
        """Return the probability that the loss is below *than* at step *end*, *n* results being known."""
        total = chance = 0.0
        for power, (w, x, xx, y, xy, yy) in zip(POWERS, self.sums, strict=True):
            det = w * xx - x * x
            if det <= 1e-12 or n <= 2:
                return 1.0
            b = max((w * xy - x * y) / det, 0.0)
            a = (y - b * x) / w
            rest = max(yy - 2 * a * y - 2 * b * xy + a * a * w + 2 * a * b * x + b * b * xx, 1e-12)
            var = rest / (n - 2)  # of a result of weight 1
            at = end**-power
            foretold = a + b * at
            sd = math.sqrt(var * (xx - 2 * at * x + at * at * w) / det + var / end)
            likelihood = rest ** (-n / 2) if n < 600 else 0.0
            total += likelihood
            chance += likelihood * 0.5 * math.erfc((foretold - than) / (sd * math.sqrt(2)))
        return chance / total if total > 0 else 1.0


class Extrapolation(Fifo):
    """Stops a trial at a rung (spaced by 2) where it is not likely to end better than the *best*-th best result.

    Args:
        max_t: step at which trials end.
        grace_period: the first rung.
        delta: how likely it must be.
    """

    def __init__(self, max_t: int, grace_period: int = 4, delta: float = 0.05) -> None:
        self.max_t, self.grace_period, self.delta = max_t, grace_period, delta
        self._sums: dict[TrialId, Sums] = {}
        self._best = math.inf

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return ``(Stop,)`` for what has no future."""
        if not isinstance(news, Reported):
            return ()
        goal, step = experiment.goals[0], news.metrics["training_iteration"]
        score = goal.score(news.metrics)
        if score is None or score == math.inf:
            return (Stop(news.trial, "diverged"),)
        sums = self._sums.setdefault(news.trial, Sums())
        sums.add(step, score)
        self._best = min(self._best, score)
        if step < self.grace_period or step & (step - 1):
            return ()
        if step >= self.max_t:
            del self._sums[news.trial]
            return (Stop(news.trial, "done"),)
        chance = sums.better(self._best, step, self.max_t)
        if chance >= self.delta:
            return ()
        del self._sums[news.trial]
        return (Stop(news.trial, f"foretold: {chance:.2g} likely to end better than {self._best:.4g}"),)
