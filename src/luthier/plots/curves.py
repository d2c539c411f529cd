"""Learning curves: what trials reported, step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.callbacks.spelling import counted
from luthier.plots.chronicle import MOST
from luthier.plots.history import LEGEND
from luthier.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    blank,
    drawn,
    finished,
    goal_for,
    joined,
    plotly,
    quality,
    safe,
    thinned,
    value_axis,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from luthier.plots.chronicle import Chronicle, Curve

    Vector = npt.NDArray[np.float64]

NAMED = 10  # so many trials have a line with a name; of more, lines are coloured by how good they were
TRIALS, POINTS, LONGEST = 400, 24_000, 2000
_FIFTH = [
    ("best fifth", BLUE), ("second", "#7295c6"), ("third", "#a9adb3"), ("fourth", "#c1986f"), ("worst fifth", ORANGE),
    ("no finite value", GREY),
]  # fmt: skip
_FIFTHS = len(_FIFTH) - 1


def learning_curves(chronicle: Chronicle, metric: str | None = None, mode: str | None = None) -> Any:
    """Return a figure of a metric by ``training_iteration``, a line for each trial.

    Of many trials the best ones and an even choice of the others are drawn, coloured by how good they were in the end;
    of long curves an even choice of their points.  A dot is where a trial ended.  A line is broken where a trial went
    back to an earlier step, and where a value is not finite.

    Args:
        chronicle: the experiment; it must hold the curves of the metric.
        metric: which metric; the experiment's first goal where None.
        mode: ``"min"`` or ``"max"``; the goal's where None.

    >>> from array import array
    >>> from luthier.plots.chronicle import Chronicle, Curve, Trial
    >>> trials = [Trial(0, "t0", "t0", "done", {}, {})]
    >>> curves = {"loss": {0: Curve(array("d", [1, 2]), array("d", [0.5, 0.25]))}}
    >>> trace = learning_curves(Chronicle(trials, curves=curves), "loss").data[0]
    >>> trace.x.tolist(), trace.y.tolist(), trace.name
    ([1.0, 2.0], [0.5, 0.25], 't0')
    """
    import numpy as np

    go, goal = plotly(), goal_for(chronicle, metric, mode)
    title = f"Learning curves of {goal.metric}"
    curves = chronicle.curves.get(goal.metric, {})
    if not curves:
        return blank(title, f"No trial has reported {goal.metric}.")
    numbers = list(curves)
    ranks = quality(goal, np.array([_last(curves[k]) for k in numbers], dtype=np.float64))
    order = np.argsort(np.where(np.isnan(ranks), 2.0, ranks), kind="stable")  # the best first
    chosen = thinned(len(order), TRIALS, range(min(len(order), 20)))
    most = max(2, min(LONGEST, POINTS // len(chosen)))
    lines = {}
    for place in chosen.tolist():
        k = int(order[place])
        lines[numbers[k]] = (_line(curves[numbers[k]], most), float(ranks[k]))
    figure = go.Figure()
    hover = f"%{{text}}<br>step %{{x:,}}: {safe(goal.metric)} %{{y:.5g}}<extra></extra>"
    if len(lines) <= NAMED:
        for trial in sorted(lines):
            (xs, ys), _ = lines[trial]
            name = safe(chronicle.trials[trial].name)
            markers = "lines+markers" if len(xs) <= 30 else "lines"
            hovertemplate = hover.replace("%{text}", name)
            figure.add_scatter(x=xs, y=ys, mode=markers, name=name, hovertemplate=hovertemplate)
    else:
        for name, colour, trials in _groups(lines):
            xs, ys, texts = _strung(chronicle, [(trial, lines[trial][0]) for trial in trials])
            width, opacity = (2.5, 1.0) if len(trials) == 1 else (1.0, 0.65)
            line = {"color": colour, "width": width}
            style = {"opacity": opacity, "name": name, "legendgroup": name, "hovertemplate": hover}
            figure.add_scatter(x=xs, y=ys, text=texts, mode="lines", line=line, connectgaps=False, **style)
            ends = [(*_end(lines[trial][0]), safe(chronicle.trials[trial].name, 32)) for trial in trials]
            dots = {"marker": {"color": colour, "size": 4}, "mode": "markers", "showlegend": False}
            at = dict(zip("xy", zip(*(end[:2] for end in ends), strict=True), strict=True))
            figure.add_scatter(**at, text=[end[2] for end in ends], **dots, **style)
    every = np.concatenate([ys for (_, ys), _ in lines.values()])
    axis, beyond = value_axis(goal, every)
    told = drawn(len(lines), len(curves))
    longer = any(len(curves[trial].values) > most for trial in lines)
    note = joined(
        told and f"{told}, the 20 best among them",
        f"each by about {counted(most, 'point')} at most" if longer else "",
        beyond,
    )
    xaxis = {"title": {"text": "training_iteration"}}
    return finished(figure, title, note, xaxis=xaxis, yaxis=axis, height=440, **LEGEND)


def _last(curve: Curve) -> float:
    """Return the last finite value; NaN where there is none."""
    return next((value for value in reversed(curve.values) if abs(value) < MOST), math.nan)


def _line(curve: Curve, most: int) -> tuple[Vector, Vector]:
    """Return the points of *curve*, at most about *most*, with a gap where it is broken."""
    import numpy as np

    xs, ys = np.asarray(curve.steps, dtype=np.float64), np.asarray(curve.values, dtype=np.float64)
    ys = np.where(np.abs(ys) < MOST, ys, np.nan)
    breaks = np.flatnonzero(np.diff(xs) < 0) + 1
    if len(breaks):
        xs, ys = np.insert(xs, breaks, xs[breaks - 1]), np.insert(ys, breaks, np.nan)
    keep = [] if np.isnan(ys).all() else [int(np.nanargmin(ys)), int(np.nanargmax(ys))]
    gaps = np.flatnonzero(np.isnan(ys))[:most].tolist()
    shown = thinned(len(xs), most, [*keep, *gaps])
    return xs[shown], ys[shown]


def _end(line: tuple[Vector, Vector]) -> tuple[float, float]:
    """Return the last point with a value; a trial that reported once is nothing but that."""
    import numpy as np

    known = np.flatnonzero(~np.isnan(line[1]))
    last = known[-1] if len(known) else -1
    return float(line[0][last]), float(line[1][last])


def _groups(lines: dict[int, tuple[tuple[Vector, Vector], float]]) -> list[tuple[str, str, list[int]]]:
    """Return name, colour and trials of each group: from those without an end, by fifths, to the best one."""
    ranked = {trial: rank for trial, (_, rank) in lines.items()}
    best = min(ranked, key=lambda trial: (math.isnan(ranked[trial]), ranked[trial], trial))
    groups: dict[int, list[int]] = {}
    for trial, rank in ranked.items():
        if trial != best:
            groups.setdefault(_FIFTHS if math.isnan(rank) else min(_FIFTHS - 1, int(rank * _FIFTHS)), []).append(trial)
    found = [(*_FIFTH[k], trials) for k, trials in sorted(groups.items(), reverse=True)]
    return [*found, ("best trial", BLUE, [best])]


def _strung(
    chronicle: Chronicle, lines: list[tuple[int, tuple[Vector, Vector]]]
) -> tuple[Vector, Vector, list[str | None]]:
    """Return many lines as one, with gaps between them: a trace for each would be slow to draw."""
    import numpy as np

    xs: list[Vector] = []
    ys: list[Vector] = []
    texts: list[str | None] = []
    gap = np.array([np.nan])
    for trial, (x, y) in lines:
        xs += [x, gap]
        ys += [y, gap]
        texts += [safe(chronicle.trials[trial].name, 32)] * len(x) + [None]
    return np.concatenate(xs).astype(np.float32), np.concatenate(ys), texts
