"""The lineage of a population as a picture: one self-contained SVG."""

from __future__ import annotations

import colorsys
import math
from html import escape
from typing import TYPE_CHECKING

from luthier.callbacks.lineage_tree import changes, judged_by
from luthier.callbacks.spelling import cut, flat, short
from luthier.core.goal import lookup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.core.goal import Goal
    from luthier.core.lineage import Handover, Life, Lineage
    from luthier.core.terms import TrialId

_WIDTH, _LANE, _TOP, _BOTTOM = 1000, 28, 34, 92
_LETTER = 6.3  # about as wide as one of 11 px is; what is said beside the lines is of 8 px
_SMALL = 4.4
_GOLDEN_ANGLE = 137.508  # degrees: hues that are that far apart do not come near each other for long
_NOBODYS, _INK = "#9a9a9a", "#222"
_MARKS = 14
_BOW = (13.0, 6.0)  # how far the flattest curve bends to the left, and each further one
_ROOM = 0.55  # of the way to the handovers before, which curves may take
_DASHES = ' stroke-dasharray="3 3" opacity="0.5"'


def lineage_picture(lineage: Lineage, title: str = "", goal: Goal | None = None) -> str:
    """Return an SVG: a lane for each trial, along ``training_iteration``, and a curve where one went on from another.

    A colour belongs to the trial with which a line of descent began, as far as anybody went on from it; other trials
    are grey.  What was given up is dashed.  Pointing at a line tells its config, at a curve what changed.

    Args:
        lineage: what the log says.
        title: stands above it.
        goal: what the last values at the right end, and the best one, are of.  Where it is None, they are of the metric
            that the scheduler went by, and none is the best.

    >>> from luthier.core.events import Proposed
    >>> from luthier.core.lineage import Lineage
    >>> lineage_picture(Lineage([Proposed("t0", 0, {"lr": 0.1}, {})]))[:4]
    '<svg'
    """
    return "\n".join([*_Sheet(lineage, goal).drawn(title), "</svg>", ""])


class _Sheet:
    """Knows where everything of a lineage is, and in which colour."""

    def __init__(self, lineage: Lineage, goal: Goal | None) -> None:
        self.lineage, self.goal, self.metric = lineage, goal, goal.metric if goal else judged_by(lineage)
        self.lanes = {trial: _TOP + _LANE * (k + 0.5) for k, trial in enumerate(lineage.trials)}
        self.bottom = _TOP + _LANE * len(self.lanes)
        self.left = 24 + _LETTER * max((len(trial) for trial in self.lanes), default=0)
        self.furthest = max((life.end for life in lineage.lives), default=0) or 1
        self.last: dict[TrialId, Life] = {}
        self._roots: dict[int, TrialId] = {}
        self._aside: dict[int, int] = {}  # lives that went further than where their trial went on from another one
        aside: dict[TrialId, int] = {}
        for life in lineage.lives:
            parent = None if life.parent is None else lineage.lives[life.parent]
            self._roots[id(life)] = life.trial if parent is None else self._roots[id(parent)]
            before = self.last.get(life.trial)
            if before is not None and life.start < before.end:
                aside[life.trial] = 1 - aside.get(life.trial, 1)
                self._aside[id(before)] = 6 + 4 * aside[life.trial]
            self.last[life.trial] = life
        self.scores = {trial: self._score(life) for trial, life in self.last.items()}
        self.right = _WIDTH - 24 - _LETTER * max(map(len, self.scores.values()), default=0)
        self.step = (self.right - self.left) / self.furthest
        self.best = self._best()
        self.colours = self._colours()

    def x(self, iteration: float) -> float:
        return self.left + iteration * self.step

    def y(self, life: Life) -> float:
        """Return where *life* is drawn: below its lane where its trial did something else over the same time later."""
        return self.lanes[life.trial] + self._aside.get(id(life), 0)

    def _score(self, life: Life) -> str:
        return "" if self.metric is None else short(lookup(life.metrics, self.metric), 12)

    def _best(self) -> TrialId | None:
        """Return the trial whose last result is the best."""
        if self.goal is None:
            return None
        ranked = [(score, k, t) for k, (t, life) in enumerate(self.last.items())
                  if (score := self.goal.score(life.metrics)) is not None and score < math.inf]  # fmt: skip
        return min(ranked)[2] if ranked else None

    def _colours(self) -> dict[TrialId, str]:
        followed = {self._roots[id(life)] for life in self.lineage.lives if life.parent is not None}
        colours = dict.fromkeys(self.lanes, _NOBODYS)
        for k, trial in enumerate(trial for trial in self.lanes if trial in followed):
            red, green, blue = colorsys.hls_to_rgb(
                (210 + k * _GOLDEN_ANGLE) % 360 / 360, (0.45, 0.58, 0.36)[k % 3], 0.6
            )
            colours[trial] = f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
        return colours

    def colour(self, life: Life) -> str:
        return self.colours[self._roots[id(life)]]

    # -- what is drawn -------------------------------------------------------------------------------------------------
    def drawn(self, title: str) -> Iterator[str]:
        """Yield the parts: what comes later lies above."""
        size = f'viewBox="0 0 {_WIDTH} {self.bottom + _BOTTOM}" width="{_WIDTH}"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        yield f"<title>{escape(title or 'lineage')}</title>"
        yield '<rect width="100%" height="100%" fill="white"/>'
        yield f'<text x="{self.left:.1f}" y="18" font-size="13">{escape(title)}</text>'
        yield from self._axis()
        yield from self._names()
        yield from self._way_to_the_best()
        for life in sorted(self.lineage.lives, key=lambda life: not life.over):
            yield self._line(life)
        yield from self._curves()
        yield from self._changes()
        yield from self._legend()

    def _axis(self) -> Iterator[str]:
        step = _round_step(self.furthest, [life.start for life in self.lineage.lives if life.parent is not None])
        for at in range(0, self.furthest + 1, step):
            x = self.x(at)
            yield f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{self.bottom}" stroke="#eee"/>'
            yield f'<text x="{x:.1f}" y="{self.bottom + 15}" text-anchor="middle" fill="#555">{at}</text>'
        middle = (self.left + self.right) / 2
        yield _text(middle, self.bottom + 31, "training_iteration", ' text-anchor="middle" fill="#555"')

    def _names(self) -> Iterator[str]:
        if self.metric is not None:
            yield _text(_WIDTH - 12, 18, self.metric, ' text-anchor="end" fill="#555"')
        for trial, y in self.lanes.items():
            weight = ' font-weight="bold"' if trial == self.best else ""
            yield _text(self.left - 8, y + 4, trial, f' text-anchor="end"{weight}')
            if self.scores[trial]:
                yield _text(self.right + 8, y + 4, self.scores[trial], weight)

    def _way_to_the_best(self) -> Iterator[str]:
        """Yield a dark rim around the lines that led to the best trial's last one."""
        life = None if self.best is None else self.last[self.best]
        end = 0 if life is None else life.end
        while life is not None:
            y = self.y(life)
            yield (
                f'<line x1="{self.x(life.start) - 1:.1f}" y1="{y:.1f}" x2="{self.x(end) + 1:.1f}" y2="{y:.1f}" '
                f'stroke="{_INK}" stroke-width="9"/>'
            )
            end, life = life.start, None if life.parent is None else self.lineage.lives[life.parent]

    def _line(self, life: Life) -> str:
        told = ", ".join(f"{name}={short(value)}" for name, value in flat(life.config))
        y, width = self.y(life), 3 if id(life) in self._aside else 5
        x1, x2 = self.x(life.start), self.x(life.end)
        return (
            f'<line x1="{x1:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y:.1f}" stroke="{self.colour(life)}" '
            f'stroke-width="{width}"{_DASHES if life.over else ""}>'
            f"<title>{escape(f'{life.trial}, {life.start} to {life.end}: {told}')}</title></line>"
        )

    def _curves(self) -> Iterator[str]:
        """Yield the handovers; of those at one time, the one that spans more lanes bends further."""
        together: dict[int, list[Life]] = {}
        for life in self.lineage.lives:
            if life.handover is not None and life.handover.source != life.trial:
                together.setdefault(life.start, []).append(life)
        before = 0
        for start, lives in sorted(together.items()):
            least, more = _BOW
            room = max(least, (start - before) * self.step * _ROOM)
            more = min(more, (room - least) / len(lives))
            for k, life in enumerate(sorted(lives, key=self._span)):
                if life.handover is not None:
                    yield self._curve(life, life.handover, least + k * more)
            before = start

    def _span(self, life: Life) -> float:
        return abs(self.lanes[life.handover.source] - self.lanes[life.trial]) if life.handover is not None else 0

    def _curve(self, life: Life, handover: Handover, bow: float) -> str:
        x, y1, y2 = self.x(life.start), self.y(self.lineage.lives[handover.parent]), self.y(life)
        back = f", itself at {handover.iteration}," if handover.iteration != life.start else ""
        told = f"{life.trial}{back} goes on from {handover.source} at {life.start}: {', '.join(changes(handover))}"
        bend = x - bow * 4 / 3  # a cubic curve comes three quarters of the way to its handles
        return (
            f'<g fill="none" stroke="{self.colour(life)}" stroke-width="1.6"><title>{escape(told)}</title>'
            f'<path class="handover" d="M{x:.1f},{y1:.1f} C{bend:.1f},{y1:.1f} {bend:.1f},{y2:.1f} '
            f'{x - 5:.1f},{y2:.1f}"/>'
            f'<circle cx="{x:.1f}" cy="{y1:.1f}" r="4" fill="white"/>'
            f'<path d="M{x + 1:.1f},{y2:.1f} l-8,-4.5 v9 z" fill="{self.colour(life)}" stroke="white" '
            f'stroke-width="0.8"/></g>'
        )

    def _changes(self) -> Iterator[str]:
        """Yield what changed, above the line of who goes on, as far as there is room before the next handover."""
        following: dict[TrialId, float] = {}
        for life in reversed(self.lineage.lives):
            handover = life.handover
            ahead = following.get(life.trial, self.right)
            following[life.trial] = self.x(life.start)
            new = handover.why.get("new") if handover is not None else None
            if not new:
                continue
            letters = int((ahead - self.x(life.start) - _BOW[0]) / _SMALL)
            told = cut(" ".join(f"{name}={_brief(value)}" for name, value in new.items()), letters)
            if letters > 3:  # noqa: PLR2004 (less says nothing)
                yield _text(self.x(life.start) + 5, self.lanes[life.trial] - 6.5, told, ' font-size="8" fill="#555"')

    def _legend(self) -> Iterator[str]:
        y, x = self.bottom + 52, self.left
        dash, best = _DASHES, f'<line x1="0" x2="26" y1="0" y2="0" stroke="{_INK}" stroke-width="9"/>'
        plain = '<line x1="0" x2="26" y1="0" y2="0" stroke="{}" stroke-width="5"{}/>'
        curve = (
            f'<path d="M20,-6 C2,-6 2,6 15,6" fill="none" stroke="{_INK}"/><circle cx="20" cy="-6" r="3" fill="white" '
            f'stroke="{_INK}"/><path d="M22,6 l-8,-4 v8 z" fill="{_INK}"/>'
        )
        items = [
            (plain.format("#2e73b8", "") + '<line x1="13" x2="26" y1="0" y2="0" stroke="#b8732e" stroke-width="5"/>',
             "colour: whose weights they were at first"),
            (plain.format(_NOBODYS, ""), "nobody went on from these"),
            (plain.format("#2e73b8", dash), "given up"),
            (curve, "from the dot's checkpoint the arrow's trial goes on"),
        ]  # fmt: skip
        if self.best is not None:
            items.append((best + plain.format("#2e73b8", ""), "the way to the best last result"))
        for sign, said in items:
            wide = 34 + 0.88 * _LETTER * len(said) + 14
            if x + wide > _WIDTH and x > self.left:
                x, y = self.left, y + 20
            yield f'<g class="legend" transform="translate({x:.1f},{y})">{sign}{_text(34, 4, said)}</g>'
            x += wide


def _brief(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else short(value, 12)


def _text(x: float, y: float, said: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(said)}</text>'


def _round_step(furthest: int, handovers: list[int]) -> int:
    """Return how far apart the marks are: as handovers are, if that gives neither few nor many, or 1, 2, 5, 10, ..."""
    interval = math.gcd(*handovers)
    if interval > 0 and 3 <= furthest // interval <= _MARKS:  # noqa: PLR2004 (two marks are no axis)
        return interval
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if furthest // step <= _MARKS:
                return step
        power *= 10
