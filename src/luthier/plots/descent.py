"""The lineage of a population: who went on from whom, with which changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.callbacks.lineage_tree import changes, judged_by
from luthier.callbacks.spelling import configured, counted
from luthier.core.goal import Goal, lookup, number
from luthier.plots.style import GREY, blank, finished, goal_for, joined, plotly, safe

if TYPE_CHECKING:
    from luthier.core.lineage import Life, Lineage
    from luthier.plots.chronicle import Chronicle

MOST_LANES = 100
_PALETTE = ("#3b7dd8", "#d9822b", "#2e9e73", "#d0484f", "#9467bd", "#8c6d53", "#d668a8", "#3aa6b9", "#a3a02c")
_BEST = "way to the best"


def lineage(chronicle: Chronicle) -> Any:
    """Return a figure with a lane for each trial along ``training_iteration``, an arrow where one followed another.

    A colour belongs to the trial with which a line of descent began, as far as anybody went on from it; other trials
    are grey.  What was given up is dotted.

    Args:
        chronicle: the experiment.
    """
    go, title = plotly(), "Lineage"
    found = chronicle.lineage
    if found is None or not found.handovers:
        return blank(title, "No trial went on from another one.")
    lanes, names = _lanes(found), {trial.id: trial.name for trial in chronicle.trials}
    figure = go.Figure()
    best = _way_to_best(chronicle, found)
    if best:
        xs, ys = _strung(best, lanes)
        style = {"color": "rgba(128,134,142,0.45)", "width": 13}
        figure.add_scatter(x=xs, y=ys, mode="lines", name=_BEST, line=style, hoverinfo="skip")
    colours = _colours(found)
    groups: dict[tuple[str, bool], list[Life]] = {}
    for life in found.lives:
        if life.trial in lanes:
            groups.setdefault((found.root(life).trial, life.over), []).append(life)
    named: set[str] = set()
    for (root, over), lives in groups.items():
        colour = colours.get(root, GREY)
        group = f"from {names.get(root, root)}" if root in colours else "nobody followed"
        xs, ys = _strung(lives, lanes)
        texts = [text for life in lives for text in (_said(life, names), _said(life, names), None)]
        figure.add_scatter(
            x=xs,
            y=ys,
            mode="lines+markers",
            name=safe(group, 28),
            legendgroup=group,
            showlegend=group not in named,
            line={"color": colour, "width": 2 if over else 5, "dash": "dot" if over else "solid"},
            marker={"size": 3, "color": colour},
            text=texts,
            hovertemplate="%{text}<extra></extra>",
        )
        named.add(group)
    _arrows(figure, found, lanes, names, colours)
    goal = goal_for(chronicle)
    note = joined(
        f"{counted(len(found.trials), 'trial')}, {counted(len(found.handovers), 'handover')}",
        "an arrow: its trial goes on from the other's checkpoint",
        f"the grey band: the way to the best last {goal.metric}" if best else "",
        f"{len(lanes)} of {len(found.trials)} lanes drawn" if len(lanes) < len(found.trials) else "",
    )
    labels = [safe(names.get(trial, trial), 22) for trial in lanes]
    yaxis = {
        "tickvals": list(lanes.values()),
        "ticktext": labels,
        "range": [len(lanes) - 0.4, -0.6],
        "automargin": True,
    }
    height = 200 + max(100, min(30, max(12, 900 // len(lanes))) * len(lanes))
    legend = {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"}
    xaxis = {"title": {"text": "training_iteration"}, "rangemode": "tozero"}
    margin = {"l": 60, "r": 20, "t": 76, "b": 110}
    many = len(named) > 14
    return finished(
        figure, title, note, xaxis=xaxis, yaxis=yaxis, height=height, margin=margin, legend=legend, showlegend=not many
    )


def _lanes(found: Lineage) -> dict[str, int]:
    """Return the lane of each trial that is drawn: of many, those that had to do with another one come first."""
    trials = [str(trial) for trial in found.trials]
    if len(trials) > MOST_LANES:
        taking_part = {str(name) for handover in found.handovers for name in (handover.source, handover.target)}
        trials.sort(key=lambda trial: trial not in taking_part)
        trials = trials[:MOST_LANES]
    return {trial: lane for lane, trial in enumerate(trials)}


def _strung(lives: list[Life], lanes: dict[str, int]) -> tuple[list[float | None], list[float | None]]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for life in lives:
        if life.trial in lanes:
            lane = float(lanes[life.trial])
            xs += [life.start, life.end, None]
            ys += [lane, lane, None]
    return xs, ys


def _colours(found: Lineage) -> dict[str, str]:
    """Return the colour of each trial with which a line of descent began that anybody followed."""
    roots = dict.fromkeys(str(found.root(life).trial) for life in found.lives if life.parent is not None)
    return {root: _PALETTE[k % len(_PALETTE)] for k, root in enumerate(roots)}


def _said(life: Life, names: dict[str, str]) -> str:
    config = safe(configured(life.config, 160), 160)
    return f"{safe(names.get(life.trial, life.trial), 32)}, {life.start} to {life.end}<br>{config}"


def _arrows(figure: Any, found: Lineage, lanes: dict[str, int], names: dict[str, str], colours: dict[str, str]) -> None:
    xs: list[float | None] = []
    ys: list[float | None] = []
    heads: list[tuple[float, float, str, str, str]] = []
    for life in found.lives:
        handover = life.handover
        if handover is None or handover.source not in lanes or handover.target not in lanes:
            continue
        above, below = lanes[handover.source], lanes[handover.target]
        if above != below:
            xs += [life.start, life.start, None]
            ys += [above, below, None]
        told = "<br>".join(safe(change, 120) for change in changes(handover)) or "nothing changes"
        who = f"{safe(names.get(life.trial, life.trial), 32)} goes on from {safe(names.get(handover.source, ''), 32)}"
        sign = "triangle-down" if below > above else "triangle-up" if below < above else "diamond"
        colour = colours.get(found.root(life).trial, GREY)
        heads.append((life.start, below, f"{who} at {life.start}<br>{told}", sign, colour))
    if xs:
        line = {"color": GREY, "width": 1}
        figure.add_scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip", showlegend=False, name="arrows")
    figure.add_scatter(
        x=[head[0] for head in heads],
        y=[head[1] for head in heads],
        mode="markers",
        name="goes on",
        showlegend=False,
        marker={
            "symbol": [head[3] for head in heads],
            "size": 10,
            "color": [head[4] for head in heads],
            "line": {"width": 1, "color": "white"},
        },
        text=[head[2] for head in heads],
        hovertemplate="%{text}<extra></extra>",
    )


def _way_to_best(chronicle: Chronicle, found: Lineage) -> list[Life]:
    """Return the lives that led to the best last result, each as far as it was followed."""
    goal = chronicle.goals[0] if chronicle.goals else None
    if goal is None:
        metric = judged_by(found)
        mode = next((h.why["mode"] for h in found.handovers if h.why.get("mode") in {"min", "max"}), None)
        if metric is None or mode is None:
            return []
        goal = Goal(metric, mode)
    last = {life.trial: life for life in found.lives}
    scored = []
    for k, life in enumerate(last.values()):
        value = number(lookup(life.metrics, goal.metric))
        if value is not None and math.isfinite(value):
            scored.append((value if goal.mode == "min" else -value, k, life))
    if not scored:
        return []
    here = min(scored, key=lambda one: one[:2])[2]
    way = [here]
    while here.parent is not None:
        parent = found.lives[here.parent]
        way.append(type(parent)(parent.trial, {}, parent.start, here.start))
        here = parent
    return way
