"""A driver that is killed in the middle of its experiment, and what its trials say of themselves."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

REPORTS = 50
PATIENCE_S = 240.0
DIARY, AGAIN = "diary.txt", "again"


def trainable(tune: Any, n: int, folder: str) -> Callable[[dict[str, Any]], None]:
    """Return what is tuned: *n* trials report 50 times each; those after them wait until the driver has been killed."""
    diary, again = os.path.join(folder, DIARY), os.path.join(folder, AGAIN)

    def write(word: str, number: int) -> None:
        with open(diary, "a", encoding="utf-8") as file:
            file.write(f"{word} {number} {time.time()}\n")

    def train(config):
        number = int(tune.get_context().get_trial_id().rpartition("_")[2])
        write("start", number)
        while number >= n and not os.path.exists(again):
            time.sleep(0.1)
        for i in range(REPORTS):
            tune.report({"loss": config["x"] / (i + 1), "accuracy": 1.0 - config["x"] / (i + 1)})
        write("end", number)

    return train


def begin_and_kill(module: str, n: int, folder: str) -> None:
    """Let the workload ``restore-begin`` of *module* run until *n* trials have ended, and kill it a second later."""
    driver = subprocess.Popen([sys.executable, "-m", module, "restore-begin", str(n), folder])
    until = time.monotonic() + PATIENCE_S
    while len(_written(folder, "end")) < n:
        if driver.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"the driver ended with {driver.poll()} before it could be killed")
        time.sleep(0.05)
    time.sleep(1.0)
    driver.kill()
    driver.wait()
    for process in psutil.process_iter(["cmdline"]):  # what a killed driver leaves behind, known by the directory
        with contextlib.suppress(psutil.Error):
            if any(folder in word for word in process.info["cmdline"] or ()) and process.pid not in _ourselves():
                process.kill()
    with open(os.path.join(folder, AGAIN), "wb"):
        pass


def came_of(n: int, folder: str, began: float) -> dict[str, Any]:
    """Return how long it took from *began* to the first trial, and how many that had ended ran once more."""
    ended = {number for number, at in _written(folder, "end") if at < began}
    starts = [(number, at) for number, at in _written(folder, "start") if at >= began]
    if len(ended) != n or not starts:
        raise SystemExit(f"{len(ended)} of {n} trials had ended, {len(starts)} started afterwards")
    twice = sum(number in ended for number, _ in starts)
    return {"count": n, "wall_s": min(at for _, at in starts) - began, "ran_again": twice}


def _written(folder: str, word: str) -> list[tuple[int, float]]:
    try:
        with open(os.path.join(folder, DIARY), encoding="utf-8") as file:
            lines = [line.split() for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []
    return [(int(number), float(at)) for found, number, at in lines if found == word]


def _ourselves() -> set[int]:
    me = psutil.Process()
    return {me.pid, *(process.pid for process in me.parents())}
