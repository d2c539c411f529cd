"""The timeline: which worker had which trial when."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from luthier.callbacks.spelling import counted, duration
from luthier.plots.history import LEGEND
from luthier.plots.style import STATUS_COLOURS, blank, finished, joined, plotly, safe

if TYPE_CHECKING:
    from luthier.plots.chronicle import Chronicle, Span

MOST_BARS, MOST_LANES = 2500, 48
_NARROW = 1 / 700  # of the whole: bars that are less wide, and near each other, are drawn as one
_UNITS = ((172_800.0, 86_400.0, "days"), (7200.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


def timeline(chronicle: Chronicle) -> Any:
    """Return a figure with a lane for each place on a worker, and a bar for each attempt of a trial.

    A worker with room for several trials has several lanes.  Colours say how the attempt ended; one that still runs
    ends where the log does.  Where there are thousands, neighbours that are too narrow to see are drawn as one bar.

    Args:
        chronicle: the experiment.

    >>> from luthier.plots.chronicle import Chronicle, Span, Trial
    >>> trials = [Trial(k, f"t{k}", f"t{k}", "done", {}, {}) for k in range(2)]
    >>> spans = [Span(0, 1, "w", 0.0, 10.0, "done"), Span(1, 1, "w", 10.0, 30.0, "done")]
    >>> bars = timeline(Chronicle(trials, spans=spans, started=0.0, updated=30.0)).data[0]
    >>> list(bars.base), list(bars.x), list(bars.y)
    ([0.0, 10.0], [10.0, 20.0], [0, 0])
    """
    go, title = plotly(), "Timeline of workers"
    if not chronicle.spans:
        return blank(title, "No trial has been launched.")
    start = min(span.start for span in chronicle.spans)
    end = max([chronicle.updated or start, *(span.end or start for span in chronicle.spans)])
    whole = max(end - start, 1e-3)
    names, lanes = laid(chronicle.spans, end)
    shown = lanes[:MOST_LANES]
    finest = whole * _NARROW * max(1.0, len(shown) / 8) if sum(map(len, shown)) > MOST_BARS else 0.0
    _, unit, word = next(entry for entry in _UNITS if whole >= entry[0])
    bars: dict[str, list[tuple[float, float, int, str]]] = {}
    busy = 0.0
    for lane, spans in enumerate(shown):
        for group in _grouped(spans, end, finest):
            first, last = group[0], group[-1]
            until = last.end if last.end is not None else end
            outcomes = [span.outcome for span in group]
            outcome = max(dict.fromkeys(outcomes), key=outcomes.count)
            if len(group) == 1:
                again = f", attempt {first.attempt}" if first.attempt > 1 else ""
                text = f"{safe(chronicle.trials[first.trial].name, 40)}{again}<br>{outcome}"
            else:
                text = f"{counted(len(group), 'attempt')}<br>mostly {outcome}"
            text += f", {duration(until - first.start)}"
            bars.setdefault(outcome, []).append((first.start - start, until - first.start, lane, text))
    for spans in lanes:
        busy += sum((span.end if span.end is not None else end) - span.start for span in spans)
    figure = go.Figure()
    for outcome, found in bars.items():
        figure.add_bar(
            orientation="h",
            base=[bar[0] / unit for bar in found],
            x=[bar[1] / unit for bar in found],
            y=[bar[2] for bar in found],
            text=[bar[3] for bar in found],
            textposition="none",
            name=outcome,
            marker={"color": STATUS_COLOURS[outcome], "line": {"width": 0.5 if not finest else 0, "color": "white"}},
            hovertemplate="%{text}<extra></extra>",
        )
    marked = range(len(shown)) if len(shown) <= 24 else range(0, len(shown), 4)
    note = joined(
        f"{counted(len(chronicle.spans), 'attempt')} in {duration(whole)}",
        f"lanes were in use {busy / whole / len(lanes):.0%} of the time",
        f"{len(shown)} of {len(lanes)} lanes drawn" if len(shown) < len(lanes) else "",
        "neighbours that are too narrow are drawn as one" if finest else "",
    )
    yaxis = {
        "tickvals": list(marked),
        "ticktext": [safe(names[lane], 18) for lane in marked],
        "range": [len(shown) - 0.4, -0.6],
        "automargin": True,
    }
    height = 190 + max(60, min(28, max(11, 560 // len(shown))) * len(shown))
    xaxis = {"title": {"text": f"{word} since the first launch"}, "range": [0, whole / unit]}
    legend = {"legend": {**LEGEND["legend"], "y": 0, "yref": "container", "yanchor": "bottom"}}
    margin = {"l": 60, "r": 20, "t": 76, "b": 86}
    return finished(
        figure,
        title,
        note,
        barmode="overlay",
        showlegend=True,
        bargap=0.15,
        xaxis=xaxis,
        yaxis=yaxis,
        height=height,
        margin=margin,
        **legend,
    )


def laid(spans: list[Span], end: float) -> tuple[list[str], list[list[Span]]]:
    """Return the lanes, each with its name and its spans, so that no two in a lane overlap.

    A worker has as many lanes as it had trials at one time.
    """
    workers: dict[str, list[list[Span]]] = {}
    free: dict[str, list[int]] = {}
    taken: dict[str, list[tuple[float, int]]] = {}
    for span in sorted(spans, key=lambda span: span.start):
        own = workers.setdefault(span.worker, [])
        idle, held = free.setdefault(span.worker, []), taken.setdefault(span.worker, [])
        while held and held[0][0] <= span.start:
            heapq.heappush(idle, heapq.heappop(held)[1])
        lane = heapq.heappop(idle) if idle else len(own)
        if lane == len(own):
            own.append([])
        own[lane].append(span)
        heapq.heappush(held, (span.end if span.end is not None else end, lane))
    names = [
        f"{worker} {k + 1}" if len(own) > 1 else worker for worker, own in workers.items() for k in range(len(own))
    ]
    return names, [lane for own in workers.values() for lane in own]


def _grouped(spans: list[Span], end: float, finest: float) -> list[list[Span]]:
    """Return *spans* of one lane; those that are narrow and near each other together."""
    groups: list[list[Span]] = []
    for span in spans:
        if groups and finest:
            first, last = groups[-1][0], groups[-1][-1]
            until = last.end if last.end is not None else end
            if span.start - until < finest and (span.end if span.end is not None else end) - first.start < 2 * finest:
                groups[-1].append(span)
                continue
        groups.append([span])
    return groups
