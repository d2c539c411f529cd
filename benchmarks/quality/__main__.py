"""Compares what is found: ``python -m benchmarks.quality [--quick] [--seeds 20] [--evaluations 100] [--keep FILE]``.

Median regrets of all contenders on all tasks, their ranks, and whether what is to be reached was.  Runs that are done
are kept in FILE, so that a call that was ended goes on; those of other sources or releases are done anew.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.page import replaced
from benchmarks.quality.cells import cells, runs
from benchmarks.quality.contenders import CONTENDERS, USUAL
from benchmarks.quality.picture import drawn
from benchmarks.quality.tasks import TASKS
from benchmarks.quality.verdict import Regrets, floor, ranks, regrets, targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.quality.cells import Run
    from benchmarks.target import Target

EVALUATIONS, SEEDS, FEW_EVALUATIONS, FEW_SEEDS = 100, 20, 16, 2


def medians(found: Regrets) -> str:
    """Return the median regrets, as Markdown: best ones bold."""
    names = list(next(iter(found.values())))
    rows = [["task", "kind", *names], ["---"] * (2 + len(names))]
    for task, of in found.items():
        values = {name: statistics.median(of[name]) for name in names}
        least = max(min(values.values()), floor(of))
        kind = f"{TASKS[task].kind}, held out" if TASKS[task].held_out else TASKS[task].kind
        rows.append([task, kind, *(_bold(_digits(v), best=v <= least) for v in values.values())])
    return _columns(rows)


def standings(found: Regrets) -> str:
    """Return the mean ranks with their intervals, as Markdown."""
    groups = {
        "all": list(found),
        "continuous": [name for name in found if TASKS[name].kind == "continuous"],
        "mixed and real": [name for name in found if TASKS[name].kind != "continuous"],
        "held out": [name for name in found if TASKS[name].held_out],
    }
    groups = {title: names for title, names in groups.items() if names}
    columns = {title: ranks(found, [TASKS[name] for name in names]) for title, names in groups.items()}
    heads = [f"{title} ({len(groups[title])})" for title in columns]
    rows = [["mean rank on", *heads], ["---"] * (1 + len(columns))]
    for first in columns["all"]:
        mine = [next(rank for rank in column if rank.name == first.name) for column in columns.values()]
        rows.append([first.name, *(f"{r.mean:.1f} ({r.low:.1f} to {r.high:.1f})" for r in mine)])
    return _columns(rows)


def verdicts(rows: Iterable[Target], *, small: bool) -> str:
    """Return a line for each target."""
    said = {True: "reached", False: "MISSED", None: ""}
    return "\n".join(
        f"* {row.what}: {row.found:g}, to reach: {row.least:g}: {'small' if small else said[row.met]}" for row in rows
    )


def report(all_runs: Sequence[Run], *, small: bool) -> str:
    """Return all that is said about some runs."""
    found = regrets(all_runs)
    first = all_runs[0].cell
    seeds = 1 + max(run.cell.seed for run in all_runs)
    rows = [*targets(found), *targets(found, held_out=True)]
    parts = [
        f"Median regret after {first.evaluations} evaluations, {seeds} seeds:",
        medians(found),
        "Mean ranks of the medians (1 is the best), with 95 % intervals from resampled seeds:",
        standings(found),
        verdicts(rows, small=small),
        f"Runs took {sum(run.cpu_s for run in all_runs) / 60:.1f} CPU minutes.",
    ]
    return "\n\n".join(part for part in parts if part)


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.2g}" if value < 1 else f"{value:.3g}"


def _bold(text: str, *, best: bool) -> str:
    return f"**{text}**" if best else text


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few seeds and evaluations: whether it runs, not how well")
    parser.add_argument("--seeds", type=int, help=f"how many; {SEEDS}")
    parser.add_argument("--evaluations", type=int, help=f"how many in each run; {EVALUATIONS}")
    parser.add_argument("--tasks", help=f"some of: {', '.join(TASKS)}; all")
    parser.add_argument("--contenders", help=f"some of: {', '.join(CONTENDERS)}; {', '.join(USUAL)}")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time; 2")
    parser.add_argument("--keep", type=Path, help="where runs are kept, and found again")
    parser.add_argument("--picture", type=Path, help="write the picture there, as SVG")
    parser.add_argument("--page", type=Path, help="put the tables into that page, between its marks")
    given = parser.parse_args(arguments)
    tasks = _some(parser, "task", given.tasks, TASKS)
    names = _some(parser, "contender", given.contenders, CONTENDERS) if given.contenders else list(USUAL)
    if missing := [name for name in names if not CONTENDERS[name].installed]:
        print(
            f"not installed here, so not compared: {', '.join(missing)} (make quality installs them)", file=sys.stderr
        )
    seeds = given.seeds or (FEW_SEEDS if given.quick else SEEDS)
    evaluations = given.evaluations or (FEW_EVALUATIONS if given.quick else EVALUATIONS)
    wanted = cells(tasks, [name for name in names if name not in missing], seeds, evaluations)
    found = runs(wanted, given.keep, given.processes, lambda line: print(line, file=sys.stderr, flush=True))
    said = report(found, small=given.quick)
    print(said)
    if given.quick:
        print("\nFew evaluations: these figures say that it runs, not how well.")
    if given.picture:
        given.picture.write_text(drawn(found), "utf-8")
    if given.page:
        given.page.write_text(replaced(given.page.read_text("utf-8"), said), "utf-8")


def _some(parser: argparse.ArgumentParser, what: str, given: str | None, there: Iterable[str]) -> list[str]:
    """Return the names that were given, with commas between them; all where none was."""
    there = list(there)
    names = [name.strip() for name in given.split(",")] if given else there
    if unknown := [name for name in names if name not in there]:
        parser.error(f"no {what} is called {unknown[0]!r}; there are {', '.join(there)}")
    return names


if __name__ == "__main__":
    main()
