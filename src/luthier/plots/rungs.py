"""Rungs and brackets: who came how far, and who was stopped there."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.goal import number
from luthier.core.lineage import ITERATION
from luthier.plots.ranks import goal_text
from luthier.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VIOLET,
    axes,
    blank,
    drawn,
    finished,
    goal_for,
    grid,
    joined,
    layout_names,
    plotly,
    safe,
    thinned,
    value_axis,
)

if TYPE_CHECKING:
    from luthier.plots.chronicle import Chronicle, Curve

MOST_POINTS, MOST_BRACKETS = 1500, 9
COLOURS = {"went on": BLUE, "stopped": ORANGE, "waits": VIOLET, "came to the end": GREEN}
_END = "came to the end"


class Landing(msgspec.Struct):
    """A trial at a rung.

    Attributes:
        bracket: which set of rungs.
        rung: the milestone.
        trial: number of the trial.
        what: ``went on``, ``stopped``, ``waits`` or ``came to the end``.
        value: what it had then; NaN where nobody knows.
        cutoff: the value that would have passed; NaN where nobody said.
    """

    bracket: int
    rung: float
    trial: int
    what: str
    value: float
    cutoff: float = math.nan


def rungs(chronicle: Chronicle) -> Any:
    """Return a figure with a panel for each bracket of a halving scheduler: at each rung, the trials that came there.

    A point is a trial with the value that it had at the rung; its colour says what became of it there.  Below each rung
    stands how many came and how many of them went on.  Short lines are the cutoffs that were told last.

    Args:
        chronicle: the experiment.
    """
    import numpy as np

    go, title = plotly(), "Rungs and brackets"
    found = landings(chronicle)
    if not found:
        return blank(title, "No scheduler has stopped, paused or promoted a trial at a rung.")
    named = next((j.why["metric"] for j in chronicle.judgements if "metric" in j.why), None)
    known = {goal.metric for goal in chronicle.goals}
    goal = goal_for(chronicle, named if named in known or named in chronicle.curves else None)
    brackets = sorted({landing.bracket for landing in found})
    shown = brackets[:MOST_BRACKETS]
    axis, beyond = value_axis(goal, np.array([landing.value for landing in found], dtype=np.float64))
    figure, legend, drawn_points = go.Figure(), set(), 0
    layout: dict[str, Any] = grid(len(shown)) if len(shown) > 1 else {"height": 440}
    for panel, bracket in enumerate(shown):
        here = [landing for landing in found if landing.bracket == bracket]
        levels = sorted({landing.rung for landing in here})
        x, y = axes(panel)
        kept = [here[k] for k in thinned(len(here), MOST_POINTS).tolist()]
        drawn_points += len(kept)
        for what, colour in COLOURS.items():
            some = [landing for landing in kept if landing.what == what]
            if not some:
                continue
            figure.add_scatter(
                x=[levels.index(one.rung) + _aside(one) for one in some],
                y=[one.value if math.isfinite(one.value) else None for one in some],
                xaxis=x,
                yaxis=y,
                mode="markers",
                name=what,
                legendgroup=what,
                showlegend=what not in legend,
                marker={"color": colour, "size": 6 if len(kept) < 300 else 4, "opacity": 0.75},
                text=[
                    f"{safe(chronicle.trials[one.trial].name, 32)}<br>{goal_text(goal.metric, one.value)} at rung "
                    f"{one.rung:g}<br>{what}"
                    for one in some
                ],
                hovertemplate="%{text}<extra></extra>",
            )
            legend.add(what)
        cutoffs = {landing.rung: landing.cutoff for landing in here if math.isfinite(landing.cutoff)}
        if cutoffs:
            places = sorted(cutoffs)
            figure.add_scatter(
                x=[at for rung in places for at in (levels.index(rung) - 0.38, levels.index(rung) + 0.38, None)],
                y=[at for rung in places for at in (cutoffs[rung], cutoffs[rung], None)],
                xaxis=x,
                yaxis=y,
                mode="lines",
                name="last cutoff",
                legendgroup="cutoff",
                showlegend="cutoff" not in legend,
                line={"color": GREY, "width": 2},
                hovertemplate="last cutoff %{y:.5g}<extra></extra>",
            )
            legend.add("cutoff")
        texts = []
        for level in levels:
            there = [landing.what for landing in here if landing.rung == level]
            on = sum(what in {"went on", _END} for what in there)
            texts.append(f"{level:g}<br>{len(there)} → {on}")
        x_name, y_name = layout_names(panel)
        said = f"bracket {bracket}: rung, came → went on" if len(brackets) > 1 else "rung (below: came → went on)"
        layout[x_name] = {"tickvals": list(range(len(levels))), "ticktext": texts, "title": {"text": said}}
        layout[x_name]["range"] = [-0.6, len(levels) - 0.4]
        layout[y_name] = {**axis, **({"title": None, "matches": "y"} if panel else {})}
    note = joined(
        f"{len(shown)} of {len(brackets)} brackets drawn" if len(shown) < len(brackets) else "",
        drawn(drawn_points, len(found)).replace("trials", "points"),
        beyond,
    )
    where = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}
    return finished(figure, title, note, legend=where, margin={"l": 60, "r": 20, "t": 96, "b": 60}, **layout)


def landings(chronicle: Chronicle) -> list[Landing]:
    """Return which trials came to which rungs, and what became of them there.

    Schedulers say whom they stop, pause and promote, and nothing of those that go on at once.  These are read from the
    curves: who came to a rung and was not judged there went on.  That takes rungs in ``training_iteration``, and where
    there are several brackets it is known only of trials that were judged at another rung.
    """
    found: dict[tuple[int, float, int], Landing] = {}
    bracket_of: dict[int, int] = {}
    metric = None
    for judgement in chronicle.judgements:
        why, rung = judgement.why, number(judgement.why.get("rung"))
        if rung is None:
            continue
        bracket = int(number(why.get("bracket")) or 0)
        key = (bracket, rung, judgement.trial)
        bracket_of[judgement.trial] = bracket
        metric = why.get("metric", metric)
        value, cutoff = number(why.get("value")), number(why.get("cutoff"))
        before = found.pop(key, None)
        landing = found[key] = Landing(bracket, rung, judgement.trial, judgement.what, math.nan)
        if "max_t" in why:
            landing.what = _END
        landing.value = value if value is not None else before.value if before is not None else math.nan
        landing.cutoff = math.nan if cutoff is None else cutoff
    if found and isinstance(metric, str):
        curves = chronicle.curves.get(metric, {})
        for landing in found.values():
            if math.isnan(landing.value) and landing.trial in curves:
                landing.value = _value_at(curves[landing.trial], landing.rung)
        if _in_iterations(chronicle):
            _add_survivors(chronicle, found, bracket_of, metric)
    return list(found.values())


def _in_iterations(chronicle: Chronicle) -> bool:
    """Return whether rungs are milestones of ``training_iteration``, as far as can be told."""
    return all(
        judgement.why.get("time_attr", ITERATION) == ITERATION and not judgement.step < float(judgement.why["rung"])
        for judgement in chronicle.judgements
    )


def _add_survivors(
    chronicle: Chronicle, found: dict[tuple[int, float, int], Landing], bracket_of: dict[int, int], metric: str
) -> None:
    levels: dict[int, list[float]] = {}
    for bracket, rung, _ in found:
        levels.setdefault(bracket, []).append(rung)
    only = next(iter(levels)) if len(levels) == 1 else None
    for trial, curve in chronicle.curves.get(metric, {}).items():
        own = bracket_of.get(trial, only)
        for rung in set(levels[own]) if own is not None else ():
            if own is not None and (own, rung, trial) not in found and curve.steps[-1] >= rung:
                found[own, rung, trial] = Landing(own, rung, trial, "went on", _value_at(curve, rung))


def _value_at(curve: Curve, rung: float) -> float:
    """Return what was reported when *rung* was reached; NaN where it was not."""
    at = bisect_left(curve.steps, rung)
    return curve.values[at] if at < len(curve.steps) else math.nan


def _aside(landing: Landing) -> float:
    return 0.56 * ((landing.trial * 0.6180339887498949) % 1.0 - 0.5)
