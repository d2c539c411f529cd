"""The lineage of a population as a picture: one self-contained SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from luthier.callbacks.spelling import flat, short

if TYPE_CHECKING:
    from luthier.core.lineage import Life, Lineage
    from luthier.core.terms import TrialId

_WIDTH, _LANE, _LEFT, _TOP, _BOTTOM = 900, 22, 130, 30, 40
_COLOURS = (
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#e15759",
    "#b07aa1",
    "#76b7b2",
    "#9c755f",
    "#edc948",
    "#ff9da7",
    "#8c8c8c",
)
_MARKS = 8
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
    '<path d="M0,0 L6,3 L0,6 z" fill="#555"/></marker></defs>'
)


def lineage_picture(lineage: Lineage, title: str = "") -> str:
    """Return an SVG: a lane for each trial, along ``training_iteration``, and an arrow where one went on from another.

    A colour belongs to the trial with which a line of descent began.  What was given up is dashed.  Pointing at a line
    tells its config.

    >>> from luthier.core.events import Proposed
    >>> from luthier.core.lineage import Lineage
    >>> lineage_picture(Lineage([Proposed("t0", 0, {"lr": 0.1}, {})]))[:4]
    '<svg'
    """
    lanes = {trial: _TOP + _LANE * (k + 0.5) for k, trial in enumerate(lineage.trials)}
    colours = {trial: _COLOURS[k % len(_COLOURS)] for k, trial in enumerate(lineage.trials)}
    furthest = max((life.end for life in lineage.lives), default=0) or 1
    step = (_WIDTH - _LEFT - 20) / furthest
    bottom = _TOP + _LANE * len(lanes)
    size = f'viewBox="0 0 {_WIDTH} {bottom + _BOTTOM}" width="{_WIDTH}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        f"<title>{escape(title or 'lineage')}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="18" font-size="13">{escape(title)}</text>',
        _TIP,
    ]
    parts += _axis(furthest, step, bottom)
    for trial, y in lanes.items():
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(trial)}</text>')
    order = sorted(lineage.lives, key=lambda life: not life.over)  # what was given up lies below
    parts += [_line(life, lanes[life.trial], colours[lineage.root(life).trial], step) for life in order]
    parts += [_arrow(life, lanes, step) for life in lineage.lives if life.handover is not None]
    return "\n".join([*(part for part in parts if part), "</svg>", ""])


def _axis(furthest: int, step: float, bottom: float) -> list[str]:
    parts = []
    for k in range(_MARKS + 1):
        at = round(furthest * k / _MARKS)
        x = _LEFT + at * step
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#eee"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle" fill="#555">{at}</text>')
    middle = (_LEFT + _WIDTH - 20) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 32}" text-anchor="middle" fill="#555">training_iteration</text>')
    return parts


def _line(life: Life, y: float, colour: str, step: float) -> str:
    told = ", ".join(f"{name}={short(value)}" for name, value in flat(life.config))
    style = ' stroke-dasharray="3 3" opacity="0.5"' if life.over else ""
    x1, x2 = _LEFT + life.start * step, _LEFT + life.end * step
    return (
        f'<line x1="{x1:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="5"{style}>'
        f"<title>{escape(f'{life.trial}, {life.start} to {life.end}: {told}')}</title></line>"
    )


def _arrow(life: Life, lanes: dict[TrialId, float], step: float) -> str:
    handover = life.handover
    if handover is None or handover.source == life.trial:
        return ""
    x, y1, y2 = _LEFT + life.start * step, lanes[handover.source], lanes[life.trial]
    new = ", ".join(f"{name}={short(value)}" for name, value in (handover.why.get("new") or {}).items())
    return (
        f'<path d="M{x:.1f},{y1:.1f} L{x:.1f},{y2:.1f}" stroke="#555" fill="none" marker-end="url(#tip)">'
        f"<title>{escape(f'{life.trial} goes on from {handover.source} at {life.start}: {new}')}</title></path>"
    )
