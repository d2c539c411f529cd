"""Runs of W&B's own client, all at once: ``python -m benchmarks.sides.wandb_runs PROJECT RUNS ROWS PROCESSES PACE_S``.

*RUNS* are spread over *PROCESSES*; when all have begun they log *ROWS* rows each, one every *PACE_S* seconds (0: as
fast as it goes).  ``WANDB_BASE_URL`` says where to.  It prints a line of JSON: the CPU seconds that the processes took
before their first run began, and the seconds from the first row to the end of the last run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from benchmarks.rows import row

PART = "part"


def main() -> None:
    """Start the processes, and have them log once all are ready."""
    project, runs, rows, processes, pace = sys.argv[1:]
    places = list(range(int(runs)))
    shares = [places[i :: int(processes)] for i in range(int(processes))]
    command = [sys.executable, "-m", "benchmarks.sides.wandb_runs", PART, project, rows, pace]
    parts = [
        subprocess.Popen([*command, *map(str, share)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for share in shares
    ]
    imported = sum(float(_said(part)) for part in parts)
    start = time.perf_counter()
    for part in parts:
        assert part.stdin is not None
        part.stdin.write("go\n")
        part.stdin.close()
    codes = [part.wait() for part in parts]
    if any(codes):
        raise SystemExit(f"processes ended with {codes}")
    print(json.dumps({"imported_cpu_s": imported, "logged_s": time.perf_counter() - start}))


def part(project: str, rows: int, pace_s: float, places: list[int]) -> None:
    """Be one of the processes."""
    import wandb

    imported = time.process_time()
    settings = wandb.Settings(silent=True)
    runs = [
        wandb.init(project=project, id=f"run-{place}", config={"place": place}, reinit="create_new", settings=settings)
        for place in places
    ]
    print("ready", imported, flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    for i in range(rows):
        for place, run in zip(places, runs, strict=True):
            run.log(row(place, i))
        time.sleep(max(0.0, start + (i + 1) * pace_s - time.perf_counter()))
    for run in runs:
        run.finish()


def _said(part: subprocess.Popen[str]) -> str:
    assert part.stdout is not None
    for line in part.stdout:
        if line.startswith("ready "):
            return line.split()[1]
    raise SystemExit(f"a process ended with {part.wait()} before its runs began")


if __name__ == "__main__":
    if sys.argv[1] == PART:
        part(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), [int(place) for place in sys.argv[5:]])
    else:
        main()
