"""Results as pandas tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from luthier.tune.flat import flattened
from luthier.tune.trial import row

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from luthier.core.goal import Goal
    from luthier.core.state import TrialState
    from luthier.tune.history import History


def frame(trials: Iterable[TrialState], history: History, directory: str, goal: Goal | None) -> pd.DataFrame:
    """Return a row for each trial: its last result, or its best ever under *goal*.

    Columns are the metrics, ``config/...`` and ``logdir``; trials without a result are left out.
    """
    import pandas as pd

    best = None if goal is None else history.best(goal)
    rows = []
    for t in trials:
        report = None if best is None else best.get(t.id)
        metrics = t.metrics if best is None else report.metrics if report is not None else None
        if not metrics:
            continue
        config = t.config if report is None else history.config(report, t.config)
        whole = row(t, metrics, done=best is None and t.status.final, config=config)
        config = whole.pop("config")
        flat = flattened(whole)
        flat.update({f"config/{key}": value for key, value in flattened(config).items()})
        flat["logdir"] = os.path.join(directory, t.label.folder)
        rows.append(flat)
    return pd.DataFrame(rows)
