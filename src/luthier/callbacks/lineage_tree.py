"""The lineage of a population as a tree of text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luthier.callbacks.spelling import counted, flat, plain_text, short
from luthier.core.goal import lookup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.core.lineage import Handover, Life, Lineage

_NAMED = 8  # so many trials that had nothing to do with any other


def lineage_tree(lineage: Lineage, metric: str | None = None) -> list[str]:
    """Return the lines of a tree: below each trial those that went on from it, and with which config.

    Trials that neither went on from another one nor were followed by one are named in the end, the first few of them.

    Args:
        lineage: what the log says.
        metric: the metric whose last value is shown; the one that the scheduler went by where None.

    >>> from luthier.core.events import Proposed
    >>> from luthier.core.lineage import Lineage
    >>> lineage_tree(Lineage([Proposed("t0", 0, {"lr": 0.1}, {})]))
    ['1 trial, and none went on from another one']
    """
    trials = counted(len(lineage.trials), "trial")
    if not lineage.handovers:
        return [f"{trials}, and none went on from another one"]
    metric = metric or judged_by(lineage)
    children: dict[int, list[int]] = {}
    for number, life in enumerate(lineage.lives):
        if life.parent is not None:
            children.setdefault(life.parent, []).append(number)
    times = counted(len(lineage.handovers), "time")
    lines = [f"{trials}; {times} one went on from another, by training_iteration:", ""]
    alone: list[str] = []
    for number, life in enumerate(lineage.lives):
        if life.parent is not None:
            continue
        if number in children or life.over:
            lines += _branch(lineage, children, number, metric)
        else:
            alone.append(plain_text(life.trial))
    if alone:
        names = ", ".join(alone[:_NAMED]) + (", ..." if len(alone) > _NAMED else "")
        lines += ["", f"{counted(len(alone), 'trial')} beside them that had nothing to do with any other: {names}"]
    return lines


def _branch(lineage: Lineage, children: dict[int, list[int]], root: int, metric: str | None) -> Iterator[str]:
    waiting: list[tuple[int, str, str]] = [(root, "", "")]  # a tree may be deeper than the stack
    while waiting:
        number, before, below = waiting.pop()
        yield before + _told(lineage.lives[number], metric)
        here = children.get(number, [])
        last = len(here) - 1
        for k in range(last, -1, -1):
            fork, bar = ("└─ ", "   ") if k == last else ("├─ ", "│  ")
            waiting.append((here[k], below + fork, below + bar))


def judged_by(lineage: Lineage) -> str | None:
    """Return the metric by which it was decided who goes on from whom, where that is known.

    >>> from luthier.core.lineage import Lineage
    >>> judged_by(Lineage()) is None
    True
    """
    found = (handover.why.get("metric") for handover in lineage.handovers)
    return next((metric for metric in found if isinstance(metric, str)), None)


def changes(handover: Handover) -> list[str]:
    """Return how each hyperparameter came from the one of the trial that was followed.

    >>> from luthier.core.lineage import Handover
    >>> why = {"new": {"lr": 0.08, "width": 4}, "operations": {"lr": "* 0.8", "width": "resample"}}
    >>> changes(Handover("t1", "t0", 5, 5, None, {"lr": 0.1, "width": 2}, {}, why, 0))
    ['lr 0.1 * 0.8 = 0.08', 'width resampled: 4']
    """
    theirs, why = dict(flat(handover.source_config)), handover.why
    old, operations = why.get("old") or {}, why.get("operations") or {}
    return [
        f"{plain_text(name)} {_change(theirs.get(name, old.get(name)), value, str(operations.get(name, '')))}"
        for name, value in (why.get("new") or {}).items()
    ]


def _change(was: object, value: object, how: str) -> str:
    before, after = short(was), short(value)
    if how == "resample":
        return f"resampled: {after}"
    if how.startswith("* "):
        exact = False
        if isinstance(was, (int, float)) and isinstance(value, (int, float)):
            exact = math.isclose(was * _factor(how), value, rel_tol=1e-9)
        return f"{before} {how} {'=' if exact else '->'} {after}"
    told = f" ({how.replace(' (', ', ').rstrip(')')})" if how else ""
    if before == after:
        return f"= {after}{told if how.startswith('kept (') else ''}"
    return f"{before} -> {after}{told}" if before else f"-> {after}{told}"


def _told(life: Life, metric: str | None) -> str:
    handover = life.handover
    if handover is None:
        what = ", ".join(f"{plain_text(name)}={short(value)}" for name, value in flat(life.config))
        text = f"{life.trial}  {what}"
    else:
        itself = "" if handover.iteration == life.start else f", itself at {handover.iteration},"
        text = f"at {life.start}: {life.trial}{itself} follows  {', '.join(changes(handover))}"
    value = None if metric is None else lookup(life.metrics, metric)
    reached = f"  until {life.end}" if life.end > life.start else ""
    shown = f", {plain_text(str(metric))} {short(value)}" if value is not None else ""
    return f"{text}{reached}{shown}{', given up' if life.over else ''}".rstrip()


def _factor(how: str) -> float:
    try:
        return float(how[2:])
    except ValueError:
        return math.nan
