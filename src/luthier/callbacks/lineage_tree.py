"""The lineage of a population as a tree of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.callbacks.spelling import counted, flat, plain_text, short
from luthier.core.goal import lookup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.core.lineage import Life, Lineage


def lineage_tree(lineage: Lineage, metric: str | None = None) -> list[str]:
    """Return the lines of a tree: below each trial those that went on from it, and with which config.

    Trials that neither went on from another one nor were followed by one are counted only.

    Args:
        lineage: what the log says.
        metric: the metric whose last value is shown.

    >>> from luthier.core.events import Proposed
    >>> from luthier.core.lineage import Lineage
    >>> lineage_tree(Lineage([Proposed("t0", 0, {"lr": 0.1}, {})]))
    ['1 trial, and none went on from another one']
    """
    trials = counted(len(lineage.trials), "trial")
    if not lineage.handovers:
        return [f"{trials}, and none went on from another one"]
    children: dict[int, list[int]] = {}
    for number, life in enumerate(lineage.lives):
        if life.parent is not None:
            children.setdefault(life.parent, []).append(number)
    times = counted(len(lineage.handovers), "time")
    lines = [f"{trials}; {times} one went on from another, by training_iteration:", ""]
    alone = 0
    for number, life in enumerate(lineage.lives):
        if life.parent is not None:
            continue
        if number in children or life.over:
            lines += _branch(lineage, children, number, metric)
        else:
            alone += 1
    if alone:
        lines += ["", f"{counted(alone, 'trial')} beside them that had nothing to do with any other"]
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


def _told(life: Life, metric: str | None) -> str:
    handover = life.handover
    if handover is None:
        what = ", ".join(f"{plain_text(name)}={short(value)}" for name, value in flat(life.config))
        text = f"{life.trial}  {what}"
    else:
        operations = handover.why.get("operations") or {}
        old = handover.why.get("old") or {}
        changes = []
        for name, value in (handover.why.get("new") or {}).items():
            how = f" ({operations[name]})" if name in operations else ""
            was = f"{short(old[name])} -> " if name in old else ""
            changes.append(f"{plain_text(name)} {was}{short(value)}{how}")
        text = f"{life.start}: {life.trial}, until then at {handover.iteration}  {', '.join(changes)}"
    value = None if metric is None else lookup(life.metrics, metric)
    reached = f"  to {life.end}" if life.end > life.start else ""
    shown = f", {plain_text(str(metric))} {short(value)}" if value is not None else ""
    return f"{text}{reached}{shown}{', given up' if life.over else ''}".rstrip()
