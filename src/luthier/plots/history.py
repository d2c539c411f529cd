"""The optimisation history: each trial's value, and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.plots.style import (
    BLUE,
    STATUS_COLOURS,
    blank,
    drawn,
    finished,
    goal_for,
    is_better,
    joined,
    left_out,
    plotly,
    safe,
    thinned,
    value_axis,
)

if TYPE_CHECKING:
    from luthier.plots.chronicle import Chronicle

MOST = 3000


def optimization_history(chronicle: Chronicle, metric: str | None = None, mode: str | None = None) -> Any:
    """Return a figure of each trial's last value by the trial's number, and of the best value so far as a line.

    Args:
        chronicle: the experiment.
        metric: which metric; the experiment's first goal where None.
        mode: ``"min"`` or ``"max"``; the goal's where None.

    Returns:
        A plotly figure: a trace of points for each status, and the trace ``best so far``.

    >>> from luthier.plots.chronicle import Chronicle, Trial
    >>> trials = [Trial(k, f"t{k}", f"t{k}", "done", {}, {"loss": loss}) for k, loss in enumerate([3.0, 1.0, 2.0])]
    >>> figure = optimization_history(Chronicle(trials), "loss")
    >>> [(trace.name, [float(y) for y in trace.y]) for trace in figure.data]
    [('done', [3.0, 1.0, 2.0]), ('best so far', [3.0, 1.0, 1.0])]
    """
    import numpy as np

    go, goal = plotly(), goal_for(chronicle, metric, mode)
    title = f"Optimisation history of {goal.metric}"
    values = np.array(chronicle.values(goal.metric), dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return blank(title, f"No trial has reported a finite value of {goal.metric}.")
    best, steps = None, []
    for k in known.tolist():
        if best is None or is_better(goal, values[k], best):
            best = values[k]
            steps.append(k)
    step_at = [np.searchsorted(known, k) for k in steps]
    shown = known[thinned(len(known), MOST, [int(k) for k in step_at])]
    figure = go.Figure()
    status = np.array([trial.status for trial in chronicle.trials])
    for word in dict.fromkeys(status[shown].tolist()):
        some = shown[status[shown] == word]
        figure.add_scatter(
            x=some,
            y=values[some],
            mode="markers",
            name=word,
            marker={"color": STATUS_COLOURS[word], "size": 6 if len(shown) < 1000 else 4, "opacity": 0.7},
            text=[safe(chronicle.trials[k].name) for k in some.tolist()],
            hovertemplate="%{text}<br>" + safe(goal.metric) + " %{y:.5g}<extra></extra>",
        )
    xs, ys = [*steps], [float(values[k]) for k in steps]
    if len(known) <= MOST:
        xs = known.tolist()
        running = np.minimum.accumulate(values[known]) if goal.mode == "min" else np.maximum.accumulate(values[known])
        ys = running.tolist()
    elif xs[-1] != known[-1]:
        xs, ys = [*xs, int(known[-1])], [*ys, ys[-1]]
    figure.add_scatter(
        x=xs,
        y=ys,
        mode="lines",
        name="best so far",
        line={"color": BLUE, "shape": "hv", "width": 2.5},
        hovertemplate="best so far %{y:.6g}<extra></extra>",
    )
    axis, beyond = value_axis(goal, values)
    note = joined(
        f"{'smaller' if goal.mode == 'min' else 'larger'} is better",
        drawn(len(shown), len(known)),
        left_out(len(values) - len(known)),
        beyond,
    )
    return finished(figure, title, note, xaxis=_numbers_of(len(values)), yaxis=axis, height=420, **LEGEND)


def _numbers_of(trials: int) -> dict[str, Any]:
    """Return an axis for the numbers of trials: none has half a number."""
    few = trials <= 12
    return {"title": {"text": "trial"}, "tickformat": "d", **({"dtick": 1} if few else {})}


LEGEND: dict[str, Any] = {"legend": {"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"}}
