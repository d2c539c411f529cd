"""Scikit-optimize as a searcher: a model of all trials, and an acquisition function."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from luthier.core.rng import rng_at
from luthier.core.threads import one_thread
from luthier.search.flat_axes import FlatAxes
from luthier.search.modelled import Modelled
from luthier.search.skopt_space import Dimensions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.rng import Rng
    from luthier.core.space import Space
    from luthier.core.terms import Config
    from luthier.search.known import Known

_HEDGED = ("EI", "LCB", "PI")  # among which "gp_hedge" chooses


class SkOptStudy(Modelled):
    """The record for ``skopt.Optimizer``, which is made anew for each proposal.

    ``"gp_hedge"`` draws one of its three acquisition functions for each proposal.  (There it also weighs them by what
    they promised before, which no record of trials tells.)

    Args:
        space: what is searched.
        known: what was evaluated elsewhere.
        arguments: of an ``Optimizer`` of the user's; None for one over places in [0, 1] and numbers of options.
        names: of its dimensions, in their order.
        startup: trials that have ended before there is a model; as the ``Optimizer`` has it where None, or 10.
        seed: the experiment's: where the chance of initial points starts that belong together (a latin hypercube, say).

    Source: the ``scikit-optimize`` package's documentation, ``skopt.Optimizer``.
    """

    def __init__(
        self,
        space: Space,
        known: Sequence[Known] = (),
        arguments: Mapping[str, Any] | None = None,
        names: Sequence[str] = (),
        startup: int | None = None,
        seed: int = 0,
    ) -> None:
        self.arguments, self.seed = dict(arguments or {}), seed
        theirs, older = (self.arguments.pop(name, None) for name in ("n_initial_points", "n_random_starts"))
        startup = next((count for count in (startup, older, theirs) if count is not None), 10)
        self._first: Any = None  # an optimizer that is told nothing
        points = FlatAxes(space, "SkOptSearch") if arguments is None else Dimensions(space, names)
        super().__init__(space, points, known, max(startup, 1), attempts=1)

    @one_thread("numpy", "scipy.linalg", "skopt")
    def suggested(self, points: list[list[Any]], scores: list[float], seed: int) -> list[Any]:
        """Return the library's next point."""
        import numpy as np
        import skopt
        from sklearn.base import clone

        arguments = dict(self.arguments) or {"dimensions": self._dimensions()}
        if arguments.get("acq_func", "gp_hedge") == "gp_hedge":
            arguments["acq_func"] = rng_at(seed, 3).choice(_HEDGED)
        estimator = arguments.get("base_estimator", "GP")
        if estimator is not None and not isinstance(estimator, str):
            estimator = clone(estimator)
            if "random_state" in estimator.get_params():
                estimator.set_params(random_state=seed)
        arguments |= {"base_estimator": estimator, "initial_point_generator": "random", "n_initial_points": 0}
        arguments |= {"random_state": seed, "model_queue_size": 1}
        before = np.random.get_state()  # noqa: NPY002 (one of its acquisition functions draws from there)
        np.random.seed(seed)  # noqa: NPY002
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # kernels come to their bounds, points come again
                optimizer = skopt.Optimizer(**arguments)
                optimizer.tell(points, scores)
                return list(optimizer.ask())
        finally:
            np.random.set_state(before)  # noqa: NPY002

    def draw(self, rng: Rng) -> Config:
        """Return a config of the space; of a user's optimizer, one that its constraint allows."""
        if not self.arguments:
            return self.space.sample(rng)
        values = self._untold().space.rvs(random_state=rng.seed32())[0]
        return self.points.config(values, rng)

    def _drawn(self, seed: int) -> Config | None:
        """Return a config that was not tried: the next of the points that belong together, where there are such."""
        initial = self._untold()._initial_samples if self.arguments else None  # noqa: SLF001 (it tells them in no other way)
        if initial is not None and len(self.entries) < len(initial):
            return self.points.config(initial[len(self.entries)], rng_at(seed, 1))
        return super()._drawn(seed)

    def _untold(self) -> Any:
        import skopt

        if self._first is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arguments = self.arguments | {"n_initial_points": self.startup, "random_state": self.seed}
                self._first = skopt.Optimizer(**arguments)
        return self._first

    def _dimensions(self) -> list[Any]:
        from skopt.space import Categorical, Real

        options = (part.options for part in self.points.parts)
        return [Real(0.0, 1.0) if count is None else Categorical(range(count)) for count in options]
