"""The library bayesian-optimization as a searcher: a Gaussian process and an acquisition function."""

from __future__ import annotations

import warnings
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.threads import one_thread
from luthier.search.flat_axes import FlatAxes
from luthier.search.modelled import Modelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.rng import Rng
    from luthier.core.space import Space
    from luthier.core.terms import Config
    from luthier.search.known import Known

_MOST_OPTIONS = 20  # that get a number each


class Utility(NamedTuple):
    """What is maximised to find the next point.

    Attributes:
        kind: ``"ucb"`` (upper confidence bound), ``"ei"`` (expected improvement) or ``"poi"`` (its probability).
        kappa: standard deviations above the mean that ``"ucb"`` looks at.
        xi: by how much ``"ei"`` and ``"poi"`` want to improve.
        kappa_decay: what *kappa* is multiplied by at each proposal of the model.
        kappa_decay_delay: proposals before that begins.
    """

    kind: str = "ucb"
    kappa: float = 2.576
    xi: float = 0.0
    kappa_decay: float = 1.0
    kappa_decay_delay: int = 0


class OneHot:
    """Axes as numbers in [0, 1] alone: one for each option of a choice, the greatest of which decides.

    Options of which there are many lie on one axis, in their order.

    Args:
        space: what is searched.
        who: the library, for complaints.
    """

    def __init__(self, space: Space, who: str) -> None:
        self.axes = FlatAxes(space, who)
        self.widths = [1 if p.options is None or p.options > _MOST_OPTIONS else p.options for p in self.axes.parts]
        self.parts: Sequence[Any] = range(sum(self.widths))

    def config(self, values: Sequence[float], rng: Rng) -> Config:
        """Return the config at *values*."""
        found: list[float] = []
        start = 0
        for part, width in zip(self.axes.parts, self.widths, strict=True):
            numbers = values[start : start + width]
            start += width
            if width > 1:
                found.append(max(range(width), key=numbers.__getitem__))
            else:
                found.append(numbers[0] if part.options is None else int(numbers[0] * part.options))
        return self.axes.config(found, rng)

    def values(self, config: Config) -> list[float] | None:
        """Return the numbers of *config*; None if it is not of this space."""
        values = self.axes.values(config)
        if values is None:
            return None
        found: list[float] = []
        for value, part, width in zip(values, self.axes.parts, self.widths, strict=True):
            if width > 1:
                found += [float(k == value) for k in range(width)]
            else:
                found.append(value if part.options is None else (value + 0.5) / part.options)
        return found


class BayesOptStudy(Modelled):
    """The record for ``BayesianOptimization``, which is made anew for each proposal.

    It is given numbers in [0, 1] only.  (Its own integers and categories are an experiment there, and take it ten times
    as long.)

    Args:
        space: what is searched.
        known: what was evaluated elsewhere.
        utility: what is maximised; the upper confidence bound where None.
        startup: trials that have ended before there is a model.
        patience: how often a proposal of the model may be of what was tried, until the search is over; 0 for never.
        digits: decimals by which configs are told apart.

    Source: Snoek et al., "Practical Bayesian optimization of machine learning algorithms", NeurIPS 2012, section 2.
    """

    over = True

    def __init__(
        self,
        space: Space,
        known: Sequence[Known] = (),
        utility: Utility | None = None,
        startup: int = 10,
        patience: int = 5,
        digits: int = 5,
    ) -> None:
        self.utility = Utility() if utility is None else utility
        super().__init__(space, OneHot(space, "BayesOptSearch"), known, startup, patience, digits)

    @one_thread("numpy", "scipy.linalg", "bayes_opt")
    def suggested(self, points: list[list[Any]], scores: list[float], seed: int) -> list[Any]:
        """Return the library's next point."""
        import numpy as np
        from bayes_opt import BayesianOptimization

        told: dict[tuple[float, ...], list[float]] = {}  # the library wants each point once
        for values, score in zip(points, scores, strict=True):
            told.setdefault(tuple(values), []).append(-score)
        names = [str(i) for i in self.points.parts]
        acquisition = self._acquisition()
        optimizer = BayesianOptimization(None, dict.fromkeys(names, (0.0, 1.0)), acquisition, None, seed, verbose=0)
        for place, targets in told.items():
            optimizer.space.register(np.array(place), fmean(targets))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # kernels come to their bounds
            found = optimizer.suggest()
        return [float(found[name]) for name in names]

    def _acquisition(self) -> Any:
        from bayes_opt import acquisition

        kind, kappa, xi, decay, delay = self.utility
        if kind == "ucb":
            made = max(len(self.entries) - self.startup - delay, 0)
            return acquisition.UpperConfidenceBound(kappa=kappa * decay**made)
        if kind == "ei":
            return acquisition.ExpectedImprovement(xi=xi)
        return acquisition.ProbabilityOfImprovement(xi=xi)
