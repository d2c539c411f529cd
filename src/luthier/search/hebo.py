"""HEBO's Gaussian process as a searcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.rng import rng_at
from luthier.search.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from luthier.search.hebo_space import Columns
    from luthier.search.known import Known


class HeboStudy(Recorded):
    """HEBO's optimizer, given all trials at each proposal.

    It knows neither running trials, nor failures, nor stopped ones: the first are told as the best score so far, the
    second as the worst, the third with their last score.

    Args:
        columns: how configs are made.
        alone: has all chance start at a number, and gives back what everybody shares: HEBO draws from that.
        known: what was evaluated elsewhere.
        seed: the experiment's: where the quasi-random points start.
        arguments: what the optimizer is made with besides its space.

    Source: Cowen-Rivers et al., "HEBO: pushing the limits of sample-efficient hyper-parameter optimisation", JAIR 2022.
    """

    def __init__(
        self,
        columns: Columns,
        alone: Callable[[int], AbstractContextManager[None]],
        known: Sequence[Known] = (),
        seed: int = 0,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.optimizer: Any = None
        self._alone = alone
        if columns.parts:
            scramble = rng_at(seed, 1).seed32()
            with alone(scramble):
                from hebo.optimizers.hebo import HEBO

                self.optimizer = HEBO(columns.design(), **{"scramble_seed": scramble, **(arguments or {})})
        super().__init__(columns, known)

    def suggested(self, points: list[list[Any]], scores: list[float], seed: int) -> list[Any]:
        """Return HEBO's next point: a quasi-random one at first, then by its model."""
        import numpy as np
        import pandas as pd

        optimizer = self.optimizer
        names = [part.name for part in self.points.parts]
        with self._alone(seed):
            optimizer.sobol.reset()
            optimizer.sobol.fast_forward(len(points))
            if len(points) < optimizer.rand_sample or not scores:
                found = optimizer.quasi_sample(1)
            else:
                optimizer.X = pd.DataFrame(points, columns=names)[optimizer.space.para_names]
                optimizer.y = np.array(scores, dtype=float).reshape(-1, 1)
                found = optimizer.suggest(1)
        return [found[name].iloc[0].item() for name in names]
