"""The head of a report: an experiment in a few figures, and its best trials."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from luthier.callbacks.spelling import counted, duration, plain_text, short
from luthier.core.goal import number
from luthier.core.terms import AUTOMATIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.goal import Goal
    from luthier.plots.chronicle import Chronicle, Trial

BEST, PARAMS, METRICS = 10, 12, 6
_WIDEST = 28


def head(chronicle: Chronicle, goals: Sequence[Goal]) -> str:
    """Return the HTML of a summary; every name and value in it is escaped.

    Args:
        chronicle: the experiment.
        goals: what the best trials are the best by, the first one; the others have columns.

    >>> from luthier.core.goal import Goal
    >>> from luthier.plots.chronicle import Chronicle, Trial
    >>> text = head(Chronicle([Trial(0, "t0", "<b>", "done", {"lr": 0.1}, {"loss": 0.5})]), [Goal("loss", "min")])
    >>> "<td>&lt;b&gt;</td>" in text, "<b>0.5</b><span>best loss</span>" in text
    (True, True)
    """
    found = ranked(chronicle, goals[0]) if goals else []
    facts = [(counted(len(chronicle.trials), "trial"), _counts(chronicle)), *_best_facts(found, goals)]
    facts.append((f"{chronicle.reports:,}".replace(",", " "), "results"))
    if chronicle.started is not None and chronicle.updated is not None:
        began = datetime.fromtimestamp(chronicle.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
        facts.append((duration(chronicle.updated - chronicle.started), f"from {began}"))
    cards = "".join(f'<div class="fact"><b>{escape(what)}</b><span>{escape(said)}</span></div>' for what, said in facts)
    return f'<div class="facts">{cards}</div>{_table(found, goals)}'


def ranked(chronicle: Chronicle, goal: Goal) -> list[tuple[float, Trial]]:
    """Return the trials whose last value is finite, each with it, the best first and the earlier of equals."""
    pairs = [(v, t) for v, t in zip(chronicle.values(goal.metric), chronicle.trials, strict=True) if math.isfinite(v)]
    return sorted(pairs, key=lambda pair: (pair[0] if goal.mode == "min" else -pair[0], pair[1].number))


def _best_facts(found: list[tuple[float, Trial]], goals: Sequence[Goal]) -> list[tuple[str, str]]:
    if not goals:
        return []
    if not found:
        return [("none", f"no trial has reported {plain_text(goals[0].metric)}")]
    value, _ = found[0]
    return [(short(value), f"best {plain_text(goals[0].metric)}")]


def _counts(chronicle: Chronicle) -> str:
    counts: dict[str, int] = {}
    for trial in chronicle.trials:
        counts[trial.status] = counts.get(trial.status, 0) + 1
    return ", ".join(f"{count:,} {word}".replace(",", " ") for word, count in counts.items()) or "none yet"


def _table(found: list[tuple[float, Trial]], goals: Sequence[Goal]) -> str:
    if not found:
        return ""
    best = [trial for _, trial in found[:BEST]]
    metrics = [goal.metric for goal in goals]
    metrics += [name for name in _numbers(best) if name not in metrics][:METRICS]
    names = list(dict.fromkeys(name for trial in best for name in trial.config))
    varied = [name for name in names if len({short(trial.config.get(name)) for _, trial in found}) > 1]
    params = (varied or names)[:PARAMS]
    values = {id(trial): value for value, trial in found[:BEST]}
    rows = []
    for trial in best:
        measured = [trial.metrics.get(name) for name in metrics]
        measured[0] = values[id(trial)]
        rows.append([trial.name, trial.status, *measured, *(trial.config.get(name) for name in params)])
    title = "Best trial" if len(best) == 1 else f"The {len(best)} best of {counted(len(found), 'trial')}"
    hidden = len(varied or names) - len(params)
    more = f'<p class="note">{counted(hidden, "further parameter")} not shown</p>' if hidden > 0 else ""
    return f"<h2>{escape(title)}</h2>{table(['trial', 'status', *metrics, *params], rows)}{more}"


def _numbers(trials: Iterable[Trial]) -> list[str]:
    names: dict[str, None] = {}
    for trial in trials:
        for name, value in trial.metrics.items():
            if name not in AUTOMATIC and number(value) is not None:
                names[name] = None
    return list(names)


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return an HTML table that scrolls where it is too wide; numbers stand to the right.

    >>> table(["a"], [[1.5]])
    '<div class="scroll"><table><tr><th class="number">a</th></tr><tr><td class="number">1.5</td></tr></table></div>'
    """
    right = [all(number(row[k]) is not None or row[k] is None for row in rows) for k in range(len(heads))]
    style = [' class="number"' if each else "" for each in right]
    top = "".join(_heading(text, how) for text, how in zip(heads, style, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{s}>{escape(short(cell))}</td>" for cell, s in zip(row, style, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def _heading(text: str, style: str) -> str:
    """Return the head of a column; what is too long for it is said where one points at it."""
    told = f' title="{escape(plain_text(text))}"' if len(text) > _WIDEST else ""
    return f"<th{style}{told}>{escape(short(text, _WIDEST))}</th>"
