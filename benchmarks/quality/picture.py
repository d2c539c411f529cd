"""Regret against evaluations as a picture: one SVG file that needs nothing else."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.quality.tasks import TASKS
from benchmarks.quality.verdict import leasts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.quality.cells import Run

COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#888888", "#8c564b", "#17becf", "#e377c2")
COLUMNS, WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 3, 260, 170, 70, 34, 38
DECADES = 5  # below what is seen first, at most


def drawn(runs: Sequence[Run]) -> str:
    """Return the picture: a panel for each task, in it a line of median regrets for each contender."""
    tasks = list(dict.fromkeys(run.cell.task for run in runs))
    names = list(dict.fromkeys(run.cell.contender for run in runs))
    least = leasts(runs)
    width = COLUMNS * (WIDTH + LEFT) + 20
    height = math.ceil(len(tasks) / COLUMNS) * (TOP + HEIGHT + BOTTOM) + 40
    box = f'viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for k, task in enumerate(tasks):
        left, top = LEFT + k % COLUMNS * (WIDTH + LEFT), TOP + k // COLUMNS * (TOP + HEIGHT + BOTTOM)
        curves = {}
        for name in names:
            mine = [run for run in runs if run.cell.task == task and run.cell.contender == name]
            if mine:
                curves[name] = medians(mine, least[task])
        parts += _panel(left, top, task, curves, names)
    for k, name in enumerate(names):
        x, y = LEFT + 130 * k, height - 20
        parts.append(f'<path d="M{x} {y}h24" stroke="{COLOURS[k % len(COLOURS)]}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 30}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def medians(runs: Sequence[Run], least: float) -> list[float]:
    """Return the median regret after each evaluation."""
    count = runs[0].cell.evaluations
    return [statistics.median(run.at(n) for run in runs) - least for n in range(1, count + 1)]


def _panel(left: float, top: float, task: str, curves: dict[str, list[float]], names: Sequence[str]) -> list[str]:
    seen = [regret for curve in curves.values() for regret in curve if math.isfinite(regret) and regret > 0]
    high = math.log10(max(seen, default=1.0))
    low = max(math.log10(min(seen, default=0.1)), high - DECADES)
    low = min(low, high - 0.5)

    def y(regret: float) -> float:
        exponent = math.log10(regret) if regret > 0 else low
        return top + HEIGHT * (high - min(max(exponent, low), high)) / (high - low)

    said = f"{task}, held out" if TASKS[task].held_out else task
    parts = [f'<text x="{left}" y="{top - 8}" font-size="13">{escape(said)}</text>']
    parts.append(f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>')
    for exponent in range(math.ceil(low), math.floor(high) + 1):
        at = y(10.0**exponent)
        parts.append(f'<path d="M{left} {at:.1f}h{WIDTH}" stroke="#eee"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">1e{exponent}</text>')
    count = max(len(curve) for curve in curves.values())
    for share in (0.25, 0.5, 0.75, 1.0):
        label = f"{share * count:.0f}"
        at = left + WIDTH * share
        parts.append(f'<text x="{at:.1f}" y="{top + HEIGHT + 14}" text-anchor="middle">{label}</text>')
    for name, curve in curves.items():
        points = [(left + WIDTH * n / count, y(regret)) for n, regret in enumerate(curve, 1) if math.isfinite(regret)]
        path = " ".join(f"{x:.1f},{v:.1f}" for x, v in points)
        colour = COLOURS[names.index(name) % len(COLOURS)]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return parts
