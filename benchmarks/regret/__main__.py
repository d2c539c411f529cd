"""Runs the race: ``python -m benchmarks.regret [--quick] [--seeds 20] [--workers 64] [--json FILE] [--picture FILE]``.

A table for each kind of world; at the end, whether ASHA has in a fifth of the time what random search that stops nobody
has at its end.  The picture is one SVG without anything outside it.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.regret.contenders import ASHA, CONTENDERS, NOBODY
from benchmarks.regret.picture import drawn
from benchmarks.regret.race import Course, Standing, run, standings
from benchmarks.regret.training import MISLEADING, USUAL, best_possible, diverging, likeness
from benchmarks.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

COURSES = (Course(USUAL, 64, 12, 12), Course(USUAL, 1024, 8, 1.6), Course(MISLEADING, 64, 12, 6))
QUICK = (Course(USUAL, 64, 6, 2),)
SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
WITHIN = 0.2


def raced(courses: Sequence[Course], seeds: int, processes: int) -> list[Standing]:
    """Return how each did in each course over *seeds* worlds."""
    jobs = [(name, course, seed) for course in courses for name in CONTENDERS for seed in range(seeds)]
    jobs.sort(key=lambda job: -job[1].workers * (job[1].trainings if job[0] == NOBODY else 2 * job[1].others))
    if processes == 1:
        return standings([run(*job) for job in jobs])
    with ProcessPoolExecutor(processes) as pool:
        return standings(list(pool.map(run, *zip(*jobs, strict=True))))


def table(course: Course, found: Sequence[Standing], seeds: int) -> str:
    """Return one course's table, as Markdown."""
    head = ["scheduler", *(f"{share:.0%}" for share in SHARES), "has random search's best at", "results"]
    rows = [head, ["---"] * len(head)]
    for s in found:
        regrets = ["" if s.at(share) != s.at(share) else f"{s.at(share):.4f}" for share in SHARES]
        reached = f"{percent(s.reached)} ({percent(s.reached_low)} to {percent(s.reached_high)})"
        rows.append([s.name, *regrets, reached, f"{s.reports:,}".replace(",", " ")])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
    said = f"{course}: regret of the model in hand at shares of the time, medians of {seeds} worlds"
    return "\n".join([said, "", *lines])


def percent(share: float) -> str:
    """Return *share* as a percentage.

    >>> percent(0.123), percent(float("inf"))
    ('12 %', 'not yet')
    """
    return "not yet" if share == float("inf") else f"{share:.0%}".replace("%", " %")


def worlds() -> str:
    """Return what the curves are like."""
    lines = []
    for kind in (USUAL, MISLEADING):
        said = [
            f"after step {like.step} {like.crossing:.0%} of the pairs stand the wrong way round and {like.kept:.0%} of "
            "the best hundredth are among the best quarter"
            for like in likeness(kind)
        ]
        most = f"{diverging(kind):.0%} diverge, the best possible loss is {best_possible(kind):.3f}"
        lines.append(f"{kind.name} curves: {'; '.join(said)}; {most}.")
    return "\n".join(lines)


def targets(found: Sequence[Standing]) -> list[Target]:
    """Return what ASHA is to reach, on usual curves."""
    return [
        Target(f"ASHA, {s.course}: share of the time to random search's best", s.reached, most=WITHIN)
        for s in found
        if s.name == ASHA and s.course.kind == USUAL
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regret", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two worlds, 64 workers, a short race")
    parser.add_argument("--seeds", type=int, default=None, help="worlds of each kind; 20")
    parser.add_argument("--workers", type=int, help="only the races with that many workers")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at a time")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--picture", type=Path, help="write the picture there, as SVG")
    given = parser.parse_args(arguments)
    courses = [c for c in (QUICK if given.quick else COURSES) if given.workers in (None, c.workers)]
    seeds = given.seeds or (2 if given.quick else 20)
    found = raced(courses, seeds, given.processes)
    print(worlds())
    for course in courses:
        print(f"\n{table(course, [s for s in found if s.course == course], seeds)}")
    print()
    for target in targets(found):
        met = "reached" if target.met else "MISSED"
        print(f"{target.what}: {percent(target.found)}, to reach: <= {percent(WITHIN)}: {met}")
    if given.json:
        given.json.write_text(json.dumps([s._asdict() for s in found]), "utf-8")
    if given.picture:
        given.picture.write_text(drawn(found), "utf-8")


if __name__ == "__main__":
    main()
