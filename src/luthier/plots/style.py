"""How figures look: colours, text, what is said where there is nothing to show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.callbacks.spelling import counted, plain_text
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.core.goal import Goal
from luthier.plots.column import is_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.plots.chronicle import Chronicle
    from luthier.plots.column import Column

    Vector = npt.NDArray[np.float64]

# Middle tones, to be seen on white and on nearly black, and told apart by people who see few colours.
BLUE, ORANGE, GREY, GREEN, RED, VIOLET = "#3b7dd8", "#d9822b", "#8a929c", "#2e9e73", "#d0484f", "#9467bd"
SCALE: list[tuple[float, str]] = [(0.0, BLUE), (0.5, "#a9adb3"), (1.0, ORANGE)]  # the best first
STATUS_COLOURS = {
    "done": GREEN, "running": BLUE, "stopped": ORANGE, "paused": VIOLET, "restarted": "#3aa6b9", "failed": RED,
    "lost": "#7a3b3f", "left": GREY, "waiting": GREY,
}  # fmt: skip
VALUES_LOG_FROM = 30.0  # a metric is drawn on a logarithmic axis where its values spread over such a factor
FEW = 6  # so many values of a parameter are marked each
PANEL = 250  # pixels that a panel is wide and high
_LONGEST = 48
_PANEL_TITLE = 28  # letters below a panel
_FAR = 10.0  # times as far from the middle as nine in ten values are


def plotly() -> Any:
    """Return plotly's ``graph_objects``.

    Raises:
        MissingLibrary: it is not installed.
    """
    try:
        from plotly import graph_objects
    except ImportError as error:
        raise MissingLibrary("A figure", "plotly", "plot") from error
    return graph_objects


def safe(text: object, width: int = _LONGEST) -> str:
    """Return *text* so that plotly shows it as it is, in at most *width* characters.

    plotly takes tags in a text for tags, and ``%{...}`` in a template for a value.

    >>> safe("<b>lr</b> %{x}")
    '&lt;b&gt;lr&lt;/b&gt; &#37;{x}'
    """
    plain = plain_text(str(text))
    if len(plain) > width:  # the end of a nested name says most
        plain = plain[: width // 3] + "…" + plain[-(width - width // 3 - 1) :]
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "&#37;{").replace("$", "&#36;")


def finished(figure: Any, title: str, note: str = "", **layout: Any) -> Any:
    """Return *figure* with a title, a note below it, and the house's style.

    Title and note are plain text; ``layout.meta`` holds them as such, for whoever shows them elsewhere.
    """
    said = f"{safe(title, 200)}<br><sup>{safe(note, 300)}</sup>" if note else safe(title, 200)
    meta = {"title": plain_text(title), "note": plain_text(note), **layout.pop("meta", {})}
    figure.update_layout(
        template="plotly_white",
        title={"text": said, "x": 0.01, "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 20}},
        margin={"l": 60, "r": 20, "t": 76, "b": 50},
        hoverlabel={"align": "left", "namelength": -1},
        meta=meta,
    )
    return figure.update_layout(**layout)


def blank(title: str, reason: str) -> Any:
    """Return a figure that says why there is nothing to show; ``layout.meta["blank"]`` is the *reason*."""
    figure = plotly().Figure()
    figure.add_annotation(text=safe(reason, 300), showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    nothing = {"visible": False}
    return finished(figure, title, xaxis=nothing, yaxis=nothing, height=220, meta={"blank": reason})


def goal_for(chronicle: Chronicle, metric: str | None = None, mode: str | None = None) -> Goal:
    """Return the goal that a figure is about: what is given, else the experiment's first one, else the first metric.

    Raises:
        BadArgument: *metric* is neither a goal nor reported by any trial, or *mode* is no mode.
    """
    known = {goal.metric: goal for goal in chronicle.goals}
    if metric is None:
        names = [*known, *chronicle.metrics()]
        metric = names[0] if names else "value"
    elif metric not in known and not chronicle.curves.get(metric):
        there = {name for t in chronicle.trials for name in t.metrics}
        if there and metric not in there:
            shown = ", ".join(sorted(known) + [name for name in chronicle.metrics() if name not in known])
            raise BadArgument("metric", metric, f"one of {shown}")
    own = known.get(metric)
    return Goal(metric, mode or (own.mode if own is not None else "min"))


def mirrored(scale: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return *scale* with its ends exchanged.

    >>> mirrored([(0.0, "blue"), (0.2, "grey"), (1.0, "red")])
    [(0.0, 'red'), (0.8, 'grey'), (1.0, 'blue')]
    """
    return [(1.0 - at, colour) for at, colour in reversed(scale)]


def is_better(goal: Goal, one: float, other: float) -> bool:
    """Return whether *one* is better than *other*."""
    return one < other if goal.mode == "min" else one > other


def blue_is_best(goal: Goal) -> str:
    """Return what colours mean.

    >>> blue_is_best(Goal("acc", "max"))
    'blue is best: the largest acc'
    """
    return f"blue is best: the {'smallest' if goal.mode == 'min' else 'largest'} {goal.metric}"


def quality(goal: Goal, values: Vector) -> Vector:
    """Return the rank of each of *values* between 0 (best) and 1 (worst); NaN where a value is not finite."""
    import numpy as np

    known = np.isfinite(values)
    found = np.full(len(values), np.nan)
    signed = values[known] if goal.mode == "min" else -values[known]
    ranks = np.argsort(np.argsort(signed, kind="stable"), kind="stable")
    found[known] = ranks / max(1, len(signed) - 1)
    return found


def thinned(count: int, most: int, keep: Sequence[int] = ()) -> npt.NDArray[np.intp]:
    """Return at most *most* of the numbers below *count*, spread evenly, and those to *keep*, in order."""
    import numpy as np

    if count <= most:
        return np.arange(count)
    spread = np.linspace(0, count - 1, most).astype(int)
    return np.unique(np.concatenate([spread, np.asarray(keep, dtype=int)]))


def left_out(count: int, what: str = "without a finite value") -> str:
    """Return how many trials a figure leaves out; empty where none.

    >>> left_out(0), left_out(3)
    ('', '3 trials without a finite value left out')
    """
    return f"{counted(count, 'trial')} {what} left out" if count else ""


def drawn(shown: int, there: int) -> str:
    """Return how many trials are drawn; empty where all are.

    >>> drawn(3000, 10000), drawn(5, 5)
    ('3 000 of 10 000 trials drawn', '')
    """
    return f"{shown:,} of {there:,} trials drawn".replace(",", " ") if shown < there else ""


def joined(*notes: str) -> str:
    """Return the *notes* that are not empty, as one."""
    return "; ".join(note for note in notes if note)


def axis_of(column: Column) -> dict[str, Any]:
    """Return the axis on which *column* lies: a choice has a place for each option."""
    axis: dict[str, Any] = {"title": {"text": safe(column.name, _PANEL_TITLE)}}
    if column.kind == "category":
        texts = [safe(text, 14) for text in column.options]
        axis |= {"tickvals": list(range(len(texts))), "ticktext": texts, "range": [-0.6, len(texts) - 0.4]}
    elif column.kind == "log":
        axis |= log_axis(column.places)
    else:
        axis |= {"nticks": 5}
    return axis


def log_axis(places: Vector) -> dict[str, Any]:
    """Return a logarithmic axis for *places*, with a few marks."""
    import numpy as np

    known = np.unique(places[np.isfinite(places) & (places > 0)])
    if not len(known):
        return {"type": "log"}
    decades = math.log10(known[-1]) - math.log10(known[0])
    if decades >= 2 and len(known) > FEW:
        return {"type": "log", "exponentformat": "power", "dtick": math.ceil(decades / 3)}
    marks = known.tolist()
    if len(known) > FEW:
        powers = range(math.floor(math.log10(known[0])), math.ceil(math.log10(known[-1])) + 1)
        marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return {"type": "log", "tickvals": marks, "ticktext": [f"{mark:.4g}" for mark in marks]}


def value_axis(goal: Goal, values: Vector) -> tuple[dict[str, Any], str]:
    """Return the axis for *values* of the goal's metric, and a note on those that lie beyond it.

    It is logarithmic where values lie better so.  Where a few lie far from all others, the axis ends before them.
    """
    import numpy as np

    axis: dict[str, Any] = {"title": {"text": safe(goal.metric)}}
    known = values[np.isfinite(values)]
    if not len(known):
        return axis, ""
    if is_log(known, VALUES_LOG_FROM):
        return axis | log_axis(known), ""
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
    reach = _FAR * max(high - middle, middle - low)
    kept = known[(known >= low - reach) & (known <= high + reach)]
    if reach <= 0 or len(kept) == len(known):
        return axis, ""
    room = 0.05 * (kept.max() - kept.min()) or 1.0
    beyond = len(known) - len(kept)
    axis["range"] = [kept.min() - room, kept.max() + room]
    return axis, f"{counted(beyond, 'value')} beyond the axis"


def spread(column: Column) -> Vector:
    """Return the places of *column*, those on one option a little apart, the same each time."""
    import numpy as np

    if column.kind != "category":
        return column.places
    golden = (np.arange(len(column.places)) * 0.6180339887498949) % 1.0
    return column.places + 0.5 * (golden - 0.5)


def grid(panels: int) -> dict[str, Any]:
    """Return a layout of *panels* of one size; the page of a report lays them anew where there is less room."""
    wide = min(panels, 3 if panels in {3, 5, 6, 9} else 4)
    rows = -(-panels // wide)
    return {
        "grid": {"rows": rows, "columns": wide, "pattern": "independent", "xgap": 0.22, "ygap": 0.3},
        "height": max(360, rows * PANEL + 110),
        "meta": {"panels": panels},
    }


def axes(panel: int) -> tuple[str, str]:
    """Return what the axes of the *panel*-th panel, from 0, are called in traces.

    >>> axes(0), axes(2)
    (('x', 'y'), ('x3', 'y3'))
    """
    count = "" if panel == 0 else str(panel + 1)
    return f"x{count}", f"y{count}"


def layout_names(panel: int) -> tuple[str, str]:
    """Return what the axes of the *panel*-th panel, from 0, are called in a layout.

    >>> layout_names(1)
    ('xaxis2', 'yaxis2')
    """
    count = "" if panel == 0 else str(panel + 1)
    return f"xaxis{count}", f"yaxis{count}"
