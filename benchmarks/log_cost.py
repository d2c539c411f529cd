"""What it costs to persist an event, as the log grows: ``python -m benchmarks.log_cost EVENTS DIRECTORY``.

Prints the CPU microseconds of ``JsonlStore.append`` for a report, near the log's beginning and at its end; medians of
rounds of 1000 appends each.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from typing import Any

from benchmarks.past import STARTED, metrics
from luthier.core import events as ev
from luthier.core.terms import TrialId
from luthier.store.jsonl import JsonlStore

ROUND, ROUNDS, EARLY = 1000, 25, 1000


def cost(events: int, directory: str) -> dict[str, Any]:
    """Write *events* events; return what one cost at about the 1000th, and what one costs after the last.

    The early rounds are spread over many young logs, and taken in turns with the late ones, so that both see the same
    machine.
    """
    chance = random.Random(1)
    reports = [ev.Reported(TrialId(f"p_{i:05d}"), 1, 7, metrics(chance, 7, STARTED)) for i in range(ROUND)]
    early, late = [], []
    with JsonlStore(f"{directory}/old") as old:
        end = 0
        while end < events:
            end = _appended(old, reports, end)
        for i in range(ROUNDS):
            with JsonlStore(f"{directory}/young{i}") as young:
                start = _appended(young, reports[:EARLY], 0)
                early.append(_timed(young, reports, start))
            late.append(_timed(old, reports, end))
            end += ROUND
    return {
        "events": events,
        "us_early": round(statistics.median(early), 3),
        "us_late": round(statistics.median(late), 3),
        "growth": round(statistics.median(late) / statistics.median(early), 3),
    }


def _timed(store: JsonlStore, reports: list[ev.Reported], end: int) -> float:
    start = time.process_time()
    _appended(store, reports, end)
    return 1e6 * (time.process_time() - start) / len(reports)


def _appended(store: JsonlStore, reports: list[ev.Reported], end: int) -> int:
    for report in reports:
        end = store.append((report,), end)
    return end


if __name__ == "__main__":
    print("\n" + json.dumps(cost(int(sys.argv[1]), sys.argv[2])), flush=True)
