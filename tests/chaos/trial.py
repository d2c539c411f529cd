"""A trial that leaves marks: when each attempt at each run began, what it was at, and when it ended.

``python trial.py MARKS HOW [SECONDS]``: it appends a line to the file MARKS at each of its steps, and reports by
printing (``lines``) or by ``luthier.log`` (``log``); a step takes *SECONDS*.
"""

from __future__ import annotations

import json
import os
import sys
import time

STEPS, MARK_S = 5, 0.04


def value(x: float, step: int) -> float:
    """Return what the trial reports at *step*."""
    return x / (1 + step)


def main() -> None:
    marks = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    run, attempt = os.environ["LUTHIER_RUN"], int(os.environ["LUTHIER_ATTEMPT"])

    def mark(what: str) -> None:
        os.write(marks, f"{run} {attempt} {os.getpid()} {what} {time.monotonic()!r}\n".encode())

    mark("begin")
    with open(os.environ["LUTHIER_PARAMS"], encoding="utf-8") as file:
        x = json.load(file)["x"]

    def tell(row: dict[str, float]) -> None:
        if sys.argv[2] == "log":
            import luthier

            luthier.log(row)
        else:
            print(" ".join(f"{name}={found!r}" for name, found in row.items()), flush=True)

    step_s = float(sys.argv[3]) if len(sys.argv) > 3 else 0.2
    for step in range(STEPS):
        until = time.monotonic() + step_s
        while time.monotonic() < until:
            time.sleep(MARK_S)
            mark("at")
        tell({"loss": value(x, step), "step": step, "of": attempt})
    mark("end")


if __name__ == "__main__":
    main()
