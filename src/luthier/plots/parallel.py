"""Parallel coordinates: a line for each trial across its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.plots.column import Column, column, columns, telling
from luthier.plots.style import (
    FEW,
    SCALE,
    blank,
    blue_is_best,
    drawn,
    finished,
    goal_for,
    joined,
    left_out,
    mirrored,
    plotly,
    quality,
    safe,
    thinned,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.plots.chronicle import Chronicle

    Vector = npt.NDArray[np.float64]

MOST_AXES, MOST_LINES = 11, 1000
_BELOW = 0.12  # of an axis' length: where trials go that have no such parameter
_MARKS = 6
_BEST_LAST = mirrored(SCALE)  # plotly draws what is 1 on top


def parallel_coordinate(
    chronicle: Chronicle, metric: str | None = None, mode: str | None = None, params: Sequence[str] | None = None
) -> Any:
    """Return a figure with an axis for each parameter and each goal; a line is a trial, coloured by its rank.

    A trial without a parameter (a conditional one) passes below its axis, at ``absent``.

    Args:
        chronicle: the experiment.
        metric: the metric that colours; the experiment's first goal where None.
        mode: ``"min"`` or ``"max"``; the goal's where None.
        params: which parameters; the eleven that tell most about the metric where None.

    >>> from luthier.plots.chronicle import Chronicle, Trial
    >>> trials = [Trial(k, "", "", "done", {"lr": 10.0**-k}, {"loss": 1.0 * k}) for k in range(3)]
    >>> figure = parallel_coordinate(Chronicle(trials), "loss")
    >>> [(axis.label, [round(float(v), 6) for v in axis.values]) for axis in figure.data[0].dimensions]
    [('loss', [0.0, 1.0, 2.0]), ('lr', [0.0, -1.0, -2.0])]
    """
    import numpy as np

    go, goal = plotly(), goal_for(chronicle, metric, mode)
    title = f"Parameters and {goal.metric}"
    values = np.array(chronicle.values(goal.metric), dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2:
        return blank(title, f"It takes two trials with a finite value of {goal.metric}.")
    chosen = chosen_columns(chronicle, values, params, MOST_AXES)
    if not chosen:
        return blank(title, "No parameter differs between trials.")
    ranks = quality(goal, values)
    order = known[np.argsort(ranks[known], kind="stable")]
    shown = order[thinned(len(order), MOST_LINES, range(20))]
    goals = [goal.metric, *(each.metric for each in chronicle.goals if each.metric != goal.metric)]
    measured = [column(name, chronicle.values(name)) for name in goals[:3]]
    dimensions = [_dimension(each, shown) for each in [*measured, *chosen]]
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": 1.0 - ranks[shown], "colorscale": _BEST_LAST, "cmin": 0, "cmax": 1},
            labelangle=-12 if len(dimensions) > 4 else 0,
            labelside="top",
        )
    )
    varied = sum(each.varies for each in columns(chronicle.trials)) if params is None else 0
    most = f"the {len(chosen)} most telling of {varied} parameters" if varied > len(chosen) else ""
    note = joined(
        blue_is_best(goal),
        "drag along an axis to choose",
        most,
        drawn(len(shown), len(known)),
        left_out(len(values) - len(known)),
    )
    margin = {"l": 70, "r": 80, "t": 120, "b": 30}
    return finished(figure, title, note, height=480, margin=margin, meta={"min_width": 110 * len(dimensions)})


def chosen_columns(chronicle: Chronicle, values: Vector, params: Sequence[str] | None, most: int) -> list[Column]:
    """Return the columns that are named, or the *most* telling ones where none are.

    Raises:
        BadArgument: there is no such parameter.
    """
    from luthier.core.errors import BadArgument

    found = columns(chronicle.trials, chronicle.logarithmic)
    if params is None:
        return telling(found, values, most)
    params = [params] if isinstance(params, str) else params
    by_name = {each.name: each for each in found}
    for name in params:
        if name not in by_name and found:
            raise BadArgument("params", name, f"some of {', '.join(by_name)}")
    return [by_name[name] for name in params if name in by_name]


def _dimension(axis: Column, shown: npt.NDArray[np.intp]) -> dict[str, Any]:
    import numpy as np

    scaled = axis.scaled
    known = scaled[np.isfinite(scaled)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = high - low or 1.0
    if high == low:
        low, high = low - 0.5, high + 0.5
    marks, texts = _marks(axis, low, high)
    places = scaled[shown]
    absent = np.isnan(places)
    if absent.any():
        low -= _BELOW * room
        marks, texts = [low, *marks], ["absent", *texts]
        places = np.where(absent, low, places)
    return {"label": safe(axis.name, 22), "values": places, "range": [low, high], "tickvals": marks, "ticktext": texts}


def _marks(axis: Column, low: float, high: float) -> tuple[list[float], list[str]]:
    import numpy as np

    if axis.kind == "category":
        return list(map(float, range(len(axis.options)))), [safe(option, 18) for option in axis.options]
    distinct = np.unique(axis.places[np.isfinite(axis.places)])
    if len(distinct) <= FEW:
        scaled = np.log10(distinct) if axis.kind == "log" else distinct
        return scaled.tolist(), [f"{value:.4g}" for value in distinct.tolist()]
    if axis.kind == "log":
        first, last = int(np.ceil(low)), int(np.floor(high))
        powers = list(range(first, last + 1, max(1, -(-(last - first) // _MARKS))))
        marks = sorted({low, high, *(float(p) for p in powers if low + 0.2 < p < high - 0.2)})
        return marks, [f"{10.0**mark:.3g}" for mark in marks]
    whole = bool((axis.places[np.isfinite(axis.places)] % 1 == 0).all())
    if whole and high - low <= 2 * _MARKS:
        return (places := np.arange(np.ceil(low), high + 0.5)).tolist(), [f"{mark:.3g}" for mark in places.tolist()]
    places = np.linspace(low, high, _MARKS)
    if whole:
        places = np.unique(np.round(places))
    return places.tolist(), [f"{mark:.3g}" for mark in places.tolist()]
