"""Contours: a metric over pairs of parameters, smoothed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.plots.column import is_log
from luthier.plots.ranks import goal_text, pairs
from luthier.plots.style import (
    SCALE,
    VALUES_LOG_FROM,
    axes,
    axis_of,
    blank,
    blue_is_best,
    finished,
    goal_for,
    grid,
    joined,
    layout_names,
    left_out,
    mirrored,
    plotly,
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
    Matrix = npt.NDArray[np.float64]

PARAMS, CELLS, MOST_TRIALS, MOST_POINTS, FEWEST = 3, 36, 1500, 250, 3
_NEAR = 0.12  # of an axis' length: how far a trial speaks for its surroundings, where there are few


def contours(
    chronicle: Chronicle, metric: str | None = None, mode: str | None = None, params: Sequence[str] | None = None
) -> Any:
    """Return a figure with a panel for each pair of parameters: the metric as a landscape, and trials as points.

    The landscape is a weighted mean of the trials around each place (a Gaussian kernel in the scale of the axes, the
    narrower the more trials there are); where no trial is near, it is empty.

    Args:
        chronicle: the experiment.
        metric: which metric; the experiment's first goal where None.
        mode: ``"min"`` or ``"max"``; the goal's where None.
        params: two or more parameters; the three that tell most about the metric where None.
    """
    import numpy as np

    go, goal = plotly(), goal_for(chronicle, metric, mode)
    title = f"{goal.metric} over pairs of parameters"
    values = np.array(chronicle.values(goal.metric), dtype=np.float64)
    chosen, reason = pairs(chronicle, values, params, PARAMS, goal.metric)
    known = np.isfinite(values)
    if not reason and int(known.sum()) < FEWEST:
        reason = f"It takes {FEWEST} trials with a finite value of {goal.metric}."
    if reason:
        return blank(title, reason)
    logged = is_log(values, VALUES_LOG_FROM)
    heights = np.log10(values, where=known & (values > 0), out=np.full(len(values), np.nan)) if logged else values
    low, high = (
        float(bound) for bound in np.quantile(heights[known], [0.0, 0.95] if goal.mode == "min" else [0.05, 1])
    )
    figure, layout = go.Figure(), grid(len(chosen))
    for panel, (one, other) in enumerate(chosen):
        there = np.flatnonzero(known & ~np.isnan(one.places) & ~np.isnan(other.places))
        sampled = there[thinned(len(there), MOST_TRIALS)]
        x, y = axes(panel)
        xs, ys, zs = landscape(one, other, heights, sampled)
        kind = go.Heatmap if "category" in {one.kind, other.kind} else go.Contour
        more = (
            {"contours": {"coloring": "heatmap"}, "line": {"width": 0.5}, "ncontours": 12} if kind is go.Contour else {}
        )
        said = safe(goal.metric)
        told = f"{said} about %{{customdata:.4g}}<extra></extra>"
        shown_as = np.power(10.0, zs) if logged else zs
        figure.add_trace(
            kind(
                x=xs,
                y=ys,
                z=zs,
                customdata=shown_as,
                xaxis=x,
                yaxis=y,
                coloraxis="coloraxis",
                hovertemplate=told,
                **more,
            )
        )
        shown = sampled[thinned(len(sampled), MOST_POINTS)]
        figure.add_scatter(
            x=spread(one)[shown],
            y=spread(other)[shown],
            xaxis=x,
            yaxis=y,
            mode="markers",
            showlegend=False,
            marker={
                "color": "rgba(30,33,38,0.55)",
                "size": 5,
                "line": {"width": 0.5, "color": "rgba(255,255,255,0.8)"},
            },
            text=[
                f"{safe(chronicle.trials[k].name, 32)}<br>{goal_text(goal.metric, values[k])}" for k in shown.tolist()
            ],
            hovertemplate="%{text}<extra></extra>",
        )
        x_name, y_name = layout_names(panel)
        layout[x_name], layout[y_name] = axis_of(one), axis_of(other)
    scale = SCALE if goal.mode == "min" else mirrored(SCALE)
    bar = {"thickness": 12, "len": 0.8, "title": {"text": safe(goal.metric, 16), "side": "top"}}
    if logged:
        marks = np.linspace(low, high, 5)
        bar |= {"tickvals": marks.tolist(), "ticktext": [f"{10.0**mark:.2g}" for mark in marks.tolist()]}
    coloraxis = {"colorscale": scale, "cmin": low, "cmax": high if high > low else low + 1.0, "colorbar": bar}
    note = joined(blue_is_best(goal), "smoothed between trials (the points)", left_out(int((~known).sum())))
    return finished(figure, title, note, coloraxis=coloraxis, **layout)


def landscape(one: Column, other: Column, heights: Vector, some: npt.NDArray[np.intp]) -> tuple[Vector, Vector, Matrix]:
    """Return the places along both axes, and the smoothed heights, shape (places of *other*, places of *one*).

    NaN is where no trial is near.

    >>> import numpy as np; from luthier.plots.column import column
    >>> x, y = column("x", [0.0, 1.0, 0.0, 1.0]), column("y", [0.0, 0.0, 1.0, 1.0])
    >>> _, _, z = landscape(x, y, np.array([0.0, 1.0, 0.0, 1.0]), np.arange(4))
    >>> bool(z[0, 0] < 0.01), bool(z[0, -1] > 0.99), bool(np.isnan(z[18, 18]))
    (True, True, True)
    """
    import numpy as np

    width = max(0.02, _NEAR * (max(1, len(some)) / 30) ** (-1 / 6))
    weights, places = [], []
    for column in (one, other):
        if column.kind == "category":
            spots = np.arange(len(column.options), dtype=np.float64)
            weights.append((column.places[some][None, :] == spots[:, None]).astype(np.float64))
            places.append(spots)
        else:
            units, scaled = column.units[some], column.scaled
            mesh = np.linspace(0.0, 1.0, CELLS)
            low, high = float(np.nanmin(scaled)), float(np.nanmax(scaled))
            spots = low + mesh * (high - low)
            weights.append(np.exp(-0.5 * ((mesh[:, None] - units[None, :]) / width) ** 2))
            places.append(10.0**spots if column.kind == "log" else spots)
    total = weights[1] @ weights[0].T
    summed = (weights[1] * heights[some][None, :]) @ weights[0].T
    enough = total > np.exp(-0.5 * 2.5**2)  # one trial, two and a half widths away
    return places[0], places[1], np.where(enough, summed / np.maximum(total, 1e-300), np.nan)
