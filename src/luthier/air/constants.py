"""Names that a result has, at the path that scripts import them from."""

from __future__ import annotations

from luthier.tune.result_keys import TIME_THIS_ITER_S, TIMESTAMP, TRAINING_ITERATION

__all__ = ["TIMESTAMP", "TIME_THIS_ITER_S", "TRAINING_ITERATION"]
