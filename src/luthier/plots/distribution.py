"""The empirical distribution of what trials came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.plots.style import (
    BLUE,
    blank,
    finished,
    goal_for,
    joined,
    left_out,
    plotly,
    safe,
    thinned,
    value_axis,
)

if TYPE_CHECKING:
    from luthier.plots.chronicle import Chronicle

MOST = 1000


def edf(chronicle: Chronicle, metric: str | None = None, mode: str | None = None) -> Any:
    """Return a figure of the share of trials whose last value is at most x: the empirical distribution function.

    Args:
        chronicle: the experiment.
        metric: which metric; the experiment's first goal where None.
        mode: ``"min"`` or ``"max"``; the goal's where None.

    >>> from luthier.plots.chronicle import Chronicle, Trial
    >>> trials = [Trial(k, "", "", "done", {}, {"loss": loss}) for k, loss in enumerate([2.0, 1.0, 2.0, 4.0])]
    >>> trace = edf(Chronicle(trials), "loss").data[0]
    >>> [(float(x), float(y)) for x, y in zip(trace.x, trace.y)]
    [(1.0, 0.25), (2.0, 0.75), (4.0, 1.0)]
    """
    import numpy as np

    go, goal = plotly(), goal_for(chronicle, metric, mode)
    title = f"Distribution of {goal.metric}"
    values = np.array(chronicle.values(goal.metric), dtype=np.float64)
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return blank(title, f"No trial has reported a finite value of {goal.metric}.")
    last = np.append(np.flatnonzero(np.diff(known)), len(known) - 1)
    shown = last[thinned(len(last), MOST)]
    shares = (shown + 1) / len(known)
    figure = go.Figure()
    figure.add_scatter(
        x=known[shown],
        y=shares,
        mode="lines" if len(shown) > 1 else "markers",
        name=safe(goal.metric),
        line={"shape": "hv", "color": BLUE, "width": 2},
        hovertemplate="%{y:.1%} of trials have " + safe(goal.metric) + " ≤ %{x:.5g}<extra></extra>",
    )
    axis, beyond = value_axis(goal, known)
    median = f"half of the trials have {goal.metric} ≤ {known[(len(known) - 1) // 2]:.5g}"
    note = joined(median, left_out(len(values) - len(known)), beyond)
    yaxis = {"title": {"text": "share of trials"}, "range": [0, 1.03], "tickformat": ".0%"}
    return finished(figure, title, note, xaxis=axis, yaxis=yaxis, height=380)
