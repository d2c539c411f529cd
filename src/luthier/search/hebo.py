"""HEBO's Gaussian process as a searcher."""

from __future__ import annotations

import random
import warnings
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from luthier.core.rng import rng_at
from luthier.search.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from luthier.search.hebo_space import Columns
    from luthier.search.known import Known


class HeboStudy(Recorded):
    """HEBO's optimizer, given all trials at each proposal.

    It knows neither running trials, nor failures, nor stopped ones: the first are told as the best score so far, the
    second as the worst, the third with their last score.

    Args:
        columns: how configs are made.
        known: what was evaluated elsewhere.
        seed: the experiment's: where the quasi-random points start.
        arguments: what the optimizer is made with besides its space.

    Source: Cowen-Rivers et al., "HEBO: pushing the limits of sample-efficient hyper-parameter optimisation", JAIR 2022.
    """

    def __init__(
        self,
        columns: Columns,
        known: Sequence[Known] = (),
        seed: int = 0,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.optimizer: Any = None
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
        with alone(seed):
            optimizer.sobol.reset()
            optimizer.sobol.fast_forward(len(points))
            if len(points) < optimizer.rand_sample or not scores:
                found = optimizer.quasi_sample(1)
            else:
                optimizer.X = pd.DataFrame(points, columns=names)[optimizer.space.para_names]
                optimizer.y = np.array(scores, dtype=float).reshape(-1, 1)
                found = optimizer.suggest(1)
        return [found[name].iloc[0].item() for name in names]


class _Unread:
    """Where HEBO prints each step of a fit that does not succeed at once."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """Have all chance start at *seed*, on one thread; what everybody shares is as before in the end."""
    import numpy as np
    import torch

    threads, of_torch = torch.get_num_threads(), torch.get_rng_state()
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (HEBO draws from it)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (as above)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stdout(_Unread()):
            warnings.simplefilter("ignore")  # of what its dependencies call outdated
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002 (as above)
        torch.set_rng_state(of_torch)
        torch.set_num_threads(threads)
