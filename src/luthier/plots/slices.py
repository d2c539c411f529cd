"""Slices: a metric against one parameter at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.callbacks.spelling import short
from luthier.plots.parallel import chosen_columns
from luthier.plots.style import (
    axes,
    axis_of,
    blank,
    drawn,
    finished,
    goal_for,
    grid,
    joined,
    layout_names,
    left_out,
    plotly,
    quality,
    safe,
    spread,
    thinned,
    value_axis,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.plots.chronicle import Chronicle

MOST_PANELS, MOST_POINTS = 12, 800
_TIME = [[0.0, "#c3c9d1"], [1.0, "#1f5fb8"]]


def slices(
    chronicle: Chronicle, metric: str | None = None, mode: str | None = None, params: Sequence[str] | None = None
) -> Any:
    """Return a figure with a panel for each parameter: the metric against it, a point for each trial.

    Later trials are bluer, so that one sees where the search went.  A trial without the parameter is in no panel of it.

    Args:
        chronicle: the experiment.
        metric: which metric; the experiment's first goal where None.
        mode: ``"min"`` or ``"max"``; the goal's where None.
        params: which parameters; the twelve that tell most about the metric where None.

    >>> from luthier.plots.chronicle import Chronicle, Trial
    >>> trials = [Trial(k, "", "", "done", {"lr": 10.0**-k}, {"loss": 1.0 * k}) for k in range(4)]
    >>> figure = slices(Chronicle(trials), "loss")
    >>> figure.layout.xaxis.type, figure.layout.xaxis.title.text, [float(y) for y in figure.data[0].y]
    ('log', 'lr', [0.0, 1.0, 2.0, 3.0])
    """
    import numpy as np

    go, goal = plotly(), goal_for(chronicle, metric, mode)
    title = f"{goal.metric} by each parameter"
    values = np.array(chronicle.values(goal.metric), dtype=np.float64)
    known = np.isfinite(values)
    if not known.any():
        return blank(title, f"No trial has reported a finite value of {goal.metric}.")
    chosen = chosen_columns(chronicle, values, params, MOST_PANELS)
    if not chosen:
        return blank(title, "No parameter differs between trials.")
    figure, layout = go.Figure(), grid(len(chosen))
    layout["meta"]["least"] = 165
    axis, beyond = value_axis(goal, values)
    best = int(np.nanargmin(quality(goal, values)))
    scale = {"cmin": 0, "cmax": max(1, len(values) - 1), "colorscale": _TIME}
    most = 0
    for panel, column in enumerate(chosen):
        there = np.flatnonzero(known & ~np.isnan(column.places))
        shown = there[thinned(len(there), MOST_POINTS, np.flatnonzero(there == best).tolist())]
        most = max(most, len(shown))
        x, y = axes(panel)
        said = safe(column.name, 24)
        figure.add_scatter(
            x=spread(column)[shown],
            y=values[shown],
            xaxis=x,
            yaxis=y,
            mode="markers",
            showlegend=False,
            name=safe(column.name),
            marker={"color": shown, "size": 5, "opacity": 0.8, "coloraxis": "coloraxis"},
            text=[
                f"{safe(t.name, 32)}<br>{said} {safe(short(t.config[column.name]))}"
                for t in (chronicle.trials[k] for k in shown.tolist())
            ],
            hovertemplate="%{text}<br>" + safe(goal.metric) + " %{y:.5g}<extra></extra>",
        )
        x_name, y_name = layout_names(panel)
        shared = {"matches": "y"} if panel else {}
        layout[x_name], layout[y_name] = axis_of(column), {**axis, **shared, **({"title": None} if panel else {})}
    note = joined(
        "later trials are bluer",
        drawn(most, int(known.sum())) if most == MOST_POINTS else "",
        left_out(int((~known).sum())),
        beyond,
    )
    return finished(figure, title, note, coloraxis={**scale, "showscale": False}, **layout)
