"""Ranks: pairs of parameters, each trial a point coloured by its rank."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from luthier.plots.parallel import chosen_columns
from luthier.plots.style import (
    SCALE,
    axes,
    axis_of,
    blank,
    blue_is_best,
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
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.plots.chronicle import Chronicle
    from luthier.plots.column import Column

    Vector = npt.NDArray[np.float64]

PARAMS, MOST_POINTS = 4, 1000


def ranks(
    chronicle: Chronicle, metric: str | None = None, mode: str | None = None, params: Sequence[str] | None = None
) -> Any:
    """Return a figure with a panel for each pair of parameters; points are trials, coloured from best to worst.

    Ranks say more than values where a few trials are far worse than all others.

    Args:
        chronicle: the experiment.
        metric: which metric; the experiment's first goal where None.
        mode: ``"min"`` or ``"max"``; the goal's where None.
        params: two or more parameters; the four that tell most about the metric where None.
    """
    import numpy as np

    go, goal = plotly(), goal_for(chronicle, metric, mode)
    title = f"Ranks by {goal.metric}, for pairs of parameters"
    values = np.array(chronicle.values(goal.metric), dtype=np.float64)
    chosen, reason = pairs(chronicle, values, params, PARAMS, goal.metric)
    if reason:
        return blank(title, reason)
    rank, known = quality(goal, values), np.isfinite(values)
    worst_first = np.argsort(np.where(np.isnan(rank), -1.0, -rank), kind="stable")
    figure, layout, most = go.Figure(), grid(len(chosen)), 0
    for panel, (one, other) in enumerate(chosen):
        there = worst_first[(known & ~np.isnan(one.places) & ~np.isnan(other.places))[worst_first]]
        shown = there[thinned(len(there), MOST_POINTS, range(max(0, len(there) - 20), len(there)))]
        most = max(most, len(shown))
        x, y = axes(panel)
        figure.add_scatter(
            x=spread(one)[shown],
            y=spread(other)[shown],
            xaxis=x,
            yaxis=y,
            mode="markers",
            showlegend=False,
            marker={"color": rank[shown], "size": 6, "opacity": 0.85, "coloraxis": "coloraxis"},
            text=[
                f"{safe(chronicle.trials[k].name, 32)}<br>{goal_text(goal.metric, values[k])}" for k in shown.tolist()
            ],
            hovertemplate="%{text}<extra></extra>",
        )
        x_name, y_name = layout_names(panel)
        layout[x_name], layout[y_name] = axis_of(one), axis_of(other)
    note = joined(blue_is_best(goal), drawn(most, int(known.sum())), left_out(int((~known).sum())))
    scale = {"colorscale": SCALE, "cmin": 0, "cmax": 1, "showscale": False}
    return finished(figure, title, note, coloraxis=scale, **layout)


def pairs(
    chronicle: Chronicle, values: Vector, params: Sequence[str] | None, most: int, metric: str
) -> tuple[list[tuple[Column, Column]], str]:
    """Return the pairs of parameters to show; or none, and why."""
    import numpy as np

    if not np.isfinite(values).any():
        return [], f"No trial has reported a finite value of {metric}."
    chosen = chosen_columns(chronicle, values, params, most)
    found = [
        pair for pair in combinations(chosen, 2) if bool((~np.isnan(pair[0].places) & ~np.isnan(pair[1].places)).any())
    ]
    return (found, "") if found else ([], "It takes two parameters that differ between trials.")


def goal_text(metric: str, value: float) -> str:
    """Return the value of a metric, for a label.

    >>> goal_text("loss", 0.123456)
    'loss 0.12346'
    """
    return f"{safe(metric)} {value:.5g}"
