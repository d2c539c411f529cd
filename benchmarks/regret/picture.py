"""Regret against time as a picture: one SVG file that needs nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.regret.race import GRID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.regret.race import Course, Standing

COLOURS = ("#444444", "#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#e377c2", "#bcbd22")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM, LEGEND = 480, 330, 60, 40, 50, 200
LOW, HIGH = 0.003, 0.5  # of the regrets that are shown


def drawn(found: Sequence[Standing]) -> str:
    """Return the picture: a panel for each course, a line for each scheduler, a band for the first two's quartiles."""
    courses = list(dict.fromkeys(s.course for s in found))
    names = list(dict.fromkeys(s.name for s in found))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    width, height = len(courses) * (WIDTH + LEFT) + LEGEND, TOP + HEIGHT + BOTTOM
    box = f'viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for i, course in enumerate(courses):
        left = LEFT + i * (WIDTH + LEFT)
        parts += _panel(left, course, [s for s in found if s.course == course], colours, names)
    for i, name in enumerate(names):
        x, y = len(courses) * (WIDTH + LEFT) + 15, TOP + 15 + 20 * i
        parts.append(f'<path d="M{x} {y}h24" stroke="{colours[name]}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 30}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _panel(
    left: float, course: Course, found: Sequence[Standing], colours: dict[str, str], names: Sequence[str]
) -> list[str]:
    first = 1 / GRID

    def x(share: float) -> float:
        return left + WIDTH * math.log(share / first) / math.log(1 / first)

    def y(regret: float) -> float:
        inside = min(max(regret, LOW), HIGH)
        return TOP + HEIGHT * math.log(HIGH / inside) / math.log(HIGH / LOW)

    parts = [f'<text x="{left}" y="{TOP - 14}" font-size="14">{escape(str(course))}</text>']
    parts.append(f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>')
    for share in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        at = x(share)
        parts.append(f'<path d="M{at:.1f} {TOP}v{HEIGHT}" stroke="#eee"/>')
        label = f"{share * course.trainings:.3g}"
        parts.append(f'<text x="{at:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{label}</text>')
    middle = left + WIDTH / 2
    parts.append(f'<text x="{middle}" y="{TOP + HEIGHT + 36}" text-anchor="middle">time, in full trainings</text>')
    for regret in (0.003, 0.01, 0.03, 0.1, 0.3):
        at = y(regret)
        parts.append(f'<path d="M{left} {at:.1f}h{WIDTH}" stroke="#eee"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{regret:g}</text>')
    for s in found:
        colour = colours[s.name]
        if s.name in names[:2]:
            parts.append(_band(s, x, y, colour))
        points = " ".join(f"{x(share):.1f},{y(regret):.1f}" for share, regret in _points(s.regrets))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return parts


def _points(regrets: Sequence[float]) -> list[tuple[float, float]]:
    return [((i + 1) / GRID, regret) for i, regret in enumerate(regrets) if math.isfinite(regret)]


def _band(s: Standing, x: Callable[[float], float], y: Callable[[float], float], colour: str) -> str:
    outline = [*_points(s.low), *reversed(_points(s.high))]
    points = " ".join(f"{x(share):.1f},{y(regret):.1f}" for share, regret in outline)
    return f'<polygon points="{points}" fill="{colour}" fill-opacity="0.12"/>'
