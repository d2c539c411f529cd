"""Pareto fronts: which trials no other is better than, where there are several goals."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from luthier.callbacks.spelling import counted
from luthier.core.errors import BadArgument
from luthier.plots.ranks import goal_text
from luthier.plots.style import (
    BLUE,
    GREY,
    axes,
    blank,
    drawn,
    finished,
    goal_for,
    grid,
    joined,
    layout_names,
    left_out,
    plotly,
    safe,
    thinned,
    value_axis,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.plots.chronicle import Chronicle

MOST_POINTS, MOST_GOALS = 1500, 4


def pareto_front(chronicle: Chronicle, metrics: Sequence[str] | None = None, modes: Sequence[str] | None = None) -> Any:
    """Return a figure of the trials by two metrics, the Pareto front as a line; of more metrics a panel for each pair.

    Args:
        chronicle: the experiment.
        metrics: which metrics; the experiment's goals where None.
        modes: ``"min"`` or ``"max"`` for each of *metrics*; the goals' where None.

    Raises:
        BadArgument: one metric is no pair, or *modes* do not fit *metrics*.

    >>> from luthier.core.goal import Goal
    >>> from luthier.plots.chronicle import Chronicle, Trial
    >>> points = [(1.0, 3.0), (2.0, 2.0), (3.0, 3.0)]
    >>> trials = [Trial(k, "", "", "done", {}, {"a": a, "b": b}) for k, (a, b) in enumerate(points)]
    >>> figure = pareto_front(Chronicle(trials, (Goal("a", "min"), Goal("b", "min"))))
    >>> [(trace.name, [float(x) for x in trace.x]) for trace in figure.data]
    [('other trials', [3.0]), ('Pareto front', [1.0, 2.0])]
    """
    import numpy as np

    from luthier.search.dominance import front

    go = plotly()
    names = list(metrics) if metrics is not None else [goal.metric for goal in chronicle.goals]
    if metrics is not None and (isinstance(metrics, str) or len(names) < 2):
        raise BadArgument("metrics", metrics, "two metrics or more")
    if modes is not None and len(modes) != len(names):
        raise BadArgument("modes", modes, f"one for each of {len(names)} metrics")
    title = f"Pareto front of {' and '.join(names[:MOST_GOALS])}" if names else "Pareto front"
    if len(names) < 2:
        return blank(title, "It takes two metrics.")
    goals = [goal_for(chronicle, name, modes[k] if modes else None) for k, name in enumerate(names[:MOST_GOALS])]
    table = np.array([chronicle.values(goal.metric) for goal in goals], dtype=np.float64).T
    known = np.flatnonzero(np.isfinite(table).all(axis=1)) if len(table) else np.array([], dtype=int)
    if not len(known):
        return blank(title, f"No trial has reported finite values of {' and '.join(names)}.")
    signs = np.array([1.0 if goal.mode == "min" else -1.0 for goal in goals])
    on_front = known[front(table[known] * signs)]
    others = np.setdiff1d(known, on_front)
    shown = others[thinned(len(others), MOST_POINTS)]
    ends = [(value_axis(goal, table[:, k])) for k, goal in enumerate(goals)]
    pairs = list(combinations(range(len(goals)), 2))
    figure = go.Figure()
    layout: dict[str, Any] = grid(len(pairs)) if len(pairs) > 1 else {"height": 440}
    for panel, (one, other) in enumerate(pairs):
        x, y = axes(panel)
        best = on_front[np.argsort(table[on_front, one], kind="stable")]
        style = {"xaxis": x, "yaxis": y, "hovertemplate": "%{text}<extra></extra>", "showlegend": panel == 0}
        for some, name, marker in (
            (shown, "other trials", {"color": GREY, "size": 5, "opacity": 0.6}),
            (best, "Pareto front", {"color": BLUE, "size": 8}),
        ):
            line = len(goals) == 2 and name == "Pareto front"
            figure.add_scatter(
                x=table[some, one],
                y=table[some, other],
                mode="lines+markers" if line else "markers",
                line={"shape": "hv" if goals[other].mode == goals[one].mode == "min" else "linear", "width": 1.5},
                name=name,
                legendgroup=name,
                marker=marker,
                text=[
                    "<br>".join(
                        [safe(chronicle.trials[k].name, 32)]
                        + [goal_text(goal.metric, table[k, g]) for g, goal in enumerate(goals)]
                    )
                    for k in some.tolist()
                ],
                **style,
            )
        x_name, y_name = layout_names(panel)
        layout[x_name], layout[y_name] = ends[one][0], ends[other][0]
    note = joined(
        ", ".join(f"{goal.metric}: {'smaller' if goal.mode == 'min' else 'larger'} is better" for goal in goals),
        f"{counted(len(on_front), 'trial')} on the front",
        drawn(len(shown) + len(on_front), len(known)),
        left_out(len(table) - len(known), "without all of them"),
        *{beyond for _, beyond in ends},
    )
    legend = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}
    return finished(figure, title, note, legend=legend, margin={"l": 60, "r": 20, "t": 96, "b": 50}, **layout)
