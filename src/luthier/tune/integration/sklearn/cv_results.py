"""``cv_results_``: what a search found, in the columns of scikit-learn's own searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def cv_results(candidates: Sequence[dict[str, Any]], folds: Sequence[dict[str, list[float]]]) -> dict[str, Any]:
    """Return the table.

    Args:
        candidates: parameters of each.
        folds: for each candidate, name to the values of all folds: ``fit_time``, ``score_time``, ``test_<metric>`` and
            ``train_<metric>``.

    Returns:
        Name to array of one entry per candidate, and ``params``; failed ones rank last.

    >>> table = cv_results([{"a": 1}, {"a": 2}], [{"test_score": [0.5, 0.7]}, {"test_score": [0.7, 0.9]}])
    >>> [float(mean) for mean in table["mean_test_score"]], table["rank_test_score"].tolist()
    ([0.6, 0.8], [2, 1])
    """
    import numpy as np

    table: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in folds for name in each):
        values = np.array([each[name] for each in folds], dtype=float)
        table[f"mean_{name}"], table[f"std_{name}"] = values.mean(axis=1), values.std(axis=1)
        if name.startswith(("test_", "train_")):
            for fold in range(values.shape[1]):
                table[f"split{fold}_{name}"] = values[:, fold]
        if name.startswith("test_"):
            table[f"rank_{name}"] = ranks(table[f"mean_{name}"])
    for parameter in dict.fromkeys(name for candidate in candidates for name in candidate):
        column: Any = np.ma.MaskedArray(np.empty(len(candidates), dtype=object), mask=True)
        for at, candidate in enumerate(candidates):
            if parameter in candidate:
                column[at] = candidate[parameter]
        table[f"param_{parameter}"] = column
    table["params"] = list(candidates)
    return table


def ranks(means: Any) -> Any:
    """Return the rank of each mean, 1 for the highest; equals share the better rank, NaN comes last."""
    import numpy as np
    from scipy.stats import rankdata

    finite = np.where(np.isnan(means), -np.inf, means)
    return rankdata(-finite, method="min").astype(np.int32)
