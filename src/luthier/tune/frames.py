"""Results as pandas tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from luthier.core.goal import Goal, lookup, number
from luthier.tune.flat import flattened
from luthier.tune.trial import row

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from luthier.core.state import TrialState
    from luthier.tune.history import History


def frame(trials: Iterable[TrialState], history: History, directory: str, goal: Goal | None) -> pd.DataFrame:
    """Return a row for each trial: its last result, or its best ever under *goal*.

    Columns are the metrics, ``config/...`` and ``logdir``; trials without a result are left out.
    """
    import pandas as pd

    rows = []
    for t in trials:
        metrics = t.metrics if goal is None else best_ever(history.results(t.id), goal)
        if not metrics:
            continue
        whole = row(t, metrics)
        config = whole.pop("config")
        flat = flattened(whole)
        flat.update({f"config/{key}": value for key, value in flattened(config).items()})
        flat["logdir"] = os.path.join(directory, t.label.folder)
        rows.append(flat)
    return pd.DataFrame(rows)


def best_ever(results: Iterable[dict[str, Any]], goal: Goal) -> dict[str, Any]:
    """Return the result that is best under *goal*; empty where none has the metric."""
    best: dict[str, Any] = {}
    best_score: float | None = None
    for metrics in results:
        if number(lookup(metrics, goal.metric)) is None:
            continue
        score = goal.score(metrics)
        if score is not None and (best_score is None or score < best_score):
            best, best_score = metrics, score
    return best
