"""Which parameters matter, as bars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.callbacks.spelling import counted
from luthier.core.errors import BadArgument
from luthier.plots.column import is_log
from luthier.plots.forest import importance
from luthier.plots.parallel import chosen_columns
from luthier.plots.style import BLUE, ORANGE, VALUES_LOG_FROM, blank, finished, goal_for, joined, plotly, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.plots.chronicle import Chronicle

EVALUATORS = ("fanova", "permutation", "both")
MOST, FEWEST = 15, 4


def param_importances(
    chronicle: Chronicle,
    metric: str | None = None,
    mode: str | None = None,
    params: Sequence[str] | None = None,
    evaluator: str = "both",
) -> Any:
    """Return a figure of how much each parameter matters for a metric, by a random forest grown on the trials.

    ``fanova`` is the share of the metric's variance, over the whole space, that a parameter explains by itself;
    ``permutation`` is how much of R², on trials that the forest has not seen, is lost where its values are shuffled.
    The figure says which is which, and R² itself: where that is near 0, neither means much.

    Args:
        chronicle: the experiment.
        metric: which metric; the experiment's first goal where None.
        mode: makes no difference; every figure takes it.
        params: which parameters; those that differ between trials, the fifteen most telling ones, where None.
        evaluator: ``"fanova"``, ``"permutation"`` or ``"both"``.

    Raises:
        MissingLibrary: scikit-learn is not installed.
    """
    import numpy as np

    if evaluator not in EVALUATORS:
        raise BadArgument("evaluator", evaluator, f"one of {', '.join(EVALUATORS)}")
    go, goal = plotly(), goal_for(chronicle, metric, mode)
    title = f"Which parameters matter for {goal.metric}"
    values = np.array(chronicle.values(goal.metric), dtype=np.float64)
    known = np.isfinite(values)
    if int(known.sum()) < FEWEST or len(np.unique(values[known])) < 2:
        return blank(title, f"It takes {FEWEST} trials with different, finite values of {goal.metric}.")
    whole = [each for each in chosen_columns(chronicle, values, params, MOST) if each.varies]
    columns = [type(each)(each.name, each.kind, each.places[known], each.options) for each in whole]
    columns = [each for each in columns if each.varies]
    if not columns:
        return blank(title, "No parameter differs between trials.")
    target = values[known]
    logged = is_log(target, VALUES_LOG_FROM)
    found = importance(columns, np.log(target) if logged else target)
    leading = found.permutation if evaluator == "permutation" else found.fanova
    order = sorted(range(len(columns)), key=lambda k: leading[k])  # the first bar is drawn at the bottom
    names = [safe(columns[k].name, 30) for k in order]
    figure = go.Figure()
    bars = [
        ("permutation", "permutation (loss of R²)", found.permutation, ORANGE),
        ("fanova", "fANOVA (share of variance)", found.fanova, BLUE),
    ]
    for which, said, shares, colour in bars:
        if evaluator in {which, "both"}:
            xs = [shares[k] for k in order]
            texts = [f"{x:.2f}" if x >= 0.005 else "<0.01" for x in xs]
            figure.add_bar(
                y=list(range(len(names))),
                x=xs,
                name=said,
                orientation="h",
                marker={"color": colour},
                text=texts,
                textposition="outside",
                cliponaxis=False,
                hovertext=names,
                hovertemplate="%{hovertext}: %{x:.4f}<extra>" + said + "</extra>",
            )
    fit = "too few trials to test it on others"
    if not math.isnan(found.r2):
        fit = f"R² {found.r2:.2f} on trials it has not seen{': do not rely on this' if found.r2 < 0.2 else ''}"
    together = max(0.0, 1.0 - sum(found.fanova))
    note = joined(
        f"a random forest grown on {counted(found.trials, 'trial')}, {fit}",
        f"{together:.0%} of the variance is interactions" if evaluator != "permutation" else "",
        f"of the logarithm of {goal.metric}" if logged else "",
    )
    height = 190 + len(names) * (44 if evaluator == "both" else 28)
    most = max([*found.fanova, *found.permutation, 0.01])
    return finished(
        figure,
        title,
        note,
        height=height,
        xaxis={"range": [0, 1.18 * most], "title": {"text": ""}},
        yaxis={
            "automargin": True,
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "ticks": "outside",
            "ticklen": 6,
            "tickcolor": "rgba(0,0,0,0)",
        },
        legend={"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "traceorder": "reversed"},
        margin={"l": 60, "r": 30, "t": 76, "b": 70},
    )
