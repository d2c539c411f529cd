"""The report: one page that needs nothing else, with all figures that apply."""

from __future__ import annotations

import os
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.callbacks.spelling import plain_text
from luthier.callbacks.written import replacing
from luthier.core.errors import MissingLibrary
from luthier.plots.catalogue import FIGURES
from luthier.plots.style import blank, goal_for, plotly
from luthier.plots.summary import head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from luthier.core.goal import Goal
    from luthier.plots.chronicle import Chronicle

MOST_GOALS = 3
# The page fetches nothing: the browser is told to refuse it. Parallel coordinates compile their shaders' calls.
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"


def report(
    chronicle: Chronicle, figures: Sequence[str] = (), metric: str | None = None, mode: str | None = None
) -> str:
    """Return a page of HTML: a summary, and all figures that have anything to show.

    plotly's script is in the page (about 4.8 MB); it fetches nothing from anywhere.  Every text that comes from the
    experiment is escaped.  The page is light or dark as the reader's system is, and fits a phone.

    Args:
        chronicle: the experiment.
        figures: names from :data:`~luthier.plots.catalogue.FIGURES`; all of them where empty.
        metric: the only metric that figures are about; all goals, three of them at most, where None.
        mode: ``"min"`` or ``"max"``; the goal's where None.

    Raises:
        MissingLibrary: plotly is not installed.
        BadArgument: there is no such metric.
    """
    plotly()
    goals = _goals(chronicle, metric, mode)
    shown: list[tuple[str, dict[str, Any]]] = []
    omitted: dict[str, str] = {}
    for name, figure in _drawn(chronicle, figures or list(FIGURES), goals):
        meta = dict(figure.layout.meta)
        if "blank" in meta:
            omitted[meta["title"]] = meta["blank"]
        else:
            shown.append((name, _packed(figure, meta)))
    return _page(chronicle, goals, shown, omitted)


def write_report(path: str | os.PathLike[str], page: str) -> None:
    """Write *page* to *path*; a file that was there stays where that fails.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(os.fspath(path)) as file:
        file.write(page.encode("utf-8", "backslashreplace"))


def _goals(chronicle: Chronicle, metric: str | None, mode: str | None) -> list[Goal]:
    if metric is not None or not chronicle.goals:
        return [goal_for(chronicle, metric, mode)] if metric is not None or chronicle.metrics() else []
    return list(chronicle.goals[:MOST_GOALS])


def _drawn(chronicle: Chronicle, names: Sequence[str], goals: Sequence[Goal]) -> Iterator[tuple[str, Any]]:
    for name in names:
        entry = FIGURES[name]
        try:
            if not entry.measured:
                yield name, entry.draw(chronicle)
            for k, goal in enumerate(goals if entry.measured else ()):
                yield f"{name}-{k + 1}" if k else name, entry.draw(chronicle, goal.metric, goal.mode)
        except MissingLibrary as error:
            yield name, blank(name.replace("_", " ").capitalize(), str(error))


def _packed(figure: Any, meta: dict[str, Any]) -> dict[str, Any]:
    """Return *figure* as the page's script takes it: title, note and colours of text and grid are the page's own."""
    packed: dict[str, Any] = msgspec.json.decode(figure.to_json(validate=False))
    layout = {name: value for name, value in packed["layout"].items() if name not in {"template", "title", "meta"}}
    return {"data": packed["data"], "layout": layout, "meta": meta}


def _page(
    chronicle: Chronicle, goals: Sequence[Goal], shown: list[tuple[str, dict[str, Any]]], omitted: dict[str, str]
) -> str:
    from plotly.offline import get_plotlyjs

    from luthier import __version__

    folder = resources.files("luthier.plots")
    style, script = ((folder / name).read_text("utf-8") for name in ("report.css", "report.js"))
    title = plain_text(chronicle.name) or "Experiment"
    links, sections = [], []
    for name, figure in shown:
        meta = figure["meta"]
        said, note = escape(meta["title"]), escape(meta["note"])
        links.append(f'<a href="#{name}">{said}</a>')
        height = int(figure["layout"].get("height", 450))
        sections.append(
            f'<section id="{name}"><h2>{said}</h2><p class="note">{note}</p><div class="scroll"><div class="chart" '
            f'id="chart-{name}" data-figure="{name}" style="min-height:{height}px"></div></div></section>'
        )
    if omitted:
        lines = "".join(f"<li>{escape(what)}: {escape(why)}</li>" for what, why in omitted.items())
        sections.append(f'<section id="omitted"><h2>Not shown</h2><ul class="note">{lines}</ul></section>')
    figures = msgspec.json.encode({name: _bare(figure) for name, figure in shown}).decode()
    safe = figures.replace("<", "\\u003c")  # no text can end the element that it is in
    directions = ", ".join(f"{plain_text(goal.metric)} ({goal.mode})" for goal in goals)
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style></head><body><main>",
        f'<header><div><h1>{escape(title)}</h1><p class="soft">{escape(directions)}</p></div>',
        '<button id="theme" type="button">light / dark</button></header>',
        head(chronicle, goals),
        f"<nav>{''.join(links)}</nav>",
        *sections,
        f"<footer>Drawn by Luthier {escape(__version__)} from the log. The page needs no network.</footer>",
        "</main>",
        f'<script type="application/json" id="figures">{safe}</script>',
        f"<script>{get_plotlyjs()}</script>",
        f"<script>{script}</script>",
        "</body></html>",
        "",
    ])  # fmt: skip


def _bare(figure: dict[str, Any]) -> dict[str, Any]:
    meta = {name: value for name, value in figure["meta"].items() if name in {"panels", "min_width", "least"}}
    return {"data": figure["data"], "layout": figure["layout"], "meta": meta}
