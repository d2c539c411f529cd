"""What trials wrote down: which attempt at which run was at work when, and in which process."""

from __future__ import annotations

import itertools
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Life:
    """One process of one attempt."""

    run: str
    attempt: int
    pid: int
    begin: float
    last: float
    ended: bool = False


def lives(path: Path) -> list[Life]:
    """Return the processes that left marks in *path*, by the time of their first one."""
    found: dict[int, Life] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        run, attempt, pid, what, at = line.split()
        life = found.setdefault(int(pid), Life(run, int(attempt), int(pid), float(at), float(at)))
        assert (life.run, life.attempt) == (run, int(attempt)), "a pid was used twice"
        life.last, life.ended = float(at), what == "end"
    return sorted(found.values(), key=lambda life: life.begin)


def at_work(path: Path) -> list[Life]:
    """Return the processes that are still there."""
    return [life for life in lives(path) if _runs(life.pid, path)]


def _runs(pid: int, path: Path) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return os.fsencode(path) in file.read().split(b"\0")
    except OSError:
        return False


def check_never_twice_at_once(path: Path) -> Counter[str]:
    """Check that no run was at work in two processes at once; return how often runs were begun."""
    by_run = defaultdict(list)
    for life in lives(path):
        by_run[life.run].append(life)
    for run, found in by_run.items():
        assert len({life.attempt for life in found}) == len(found), f"an attempt at {run} was begun twice: {found}"
        for one, other in itertools.pairwise(found):
            assert one.last < other.begin, f"{run} ran twice at once: {one} and {other}"
            assert one.attempt < other.attempt, f"an older attempt at {run} began after a newer one: {one}, {other}"
    return Counter({run: len(found) for run, found in by_run.items()})
