"""What saving costs, measured from inside a trial: the same for all sides."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 1 << 20
_FIRST = 5  # rounds that do not count


def timed(report: Callable[..., Any], checkpoint_of: Callable[[str], Any], n: int, place: str) -> dict[str, float]:
    """Return medians over *n* rounds, in milliseconds: copying 1 MB to *place*, reports without it and with it.

    The three take turns, so that a disk that is slow for a while is slow for all.
    """
    scratch, plain = os.path.join(place, "scratch"), os.path.join(place, "plain")
    os.mkdir(scratch)
    os.mkdir(plain)
    source = os.path.join(scratch, "model.bin")
    with open(source, "wb") as file:
        file.write(os.urandom(SIZE))
    took: dict[str, list[float]] = {"plain_copy": [], "report": [], "report_with_checkpoint": []}
    for i in range(n + _FIRST):
        marks = [time.perf_counter()]
        shutil.copyfile(source, os.path.join(plain, str(i)))
        marks.append(time.perf_counter())
        report({"i": i})
        marks.append(time.perf_counter())
        report({"i": i}, checkpoint=checkpoint_of(scratch))
        marks.append(time.perf_counter())
        for name, start, end in zip(took, marks, marks[1:], strict=False):
            took[name].append(1e3 * (end - start))
    return {f"{name}_ms": statistics.median(times[_FIRST:]) for name, times in took.items()}
