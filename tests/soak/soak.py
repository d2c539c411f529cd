"""Watches an experiment of many trials: memory, open files and processes of the driver must not grow with its age.

    python -m tests.soak.soak [--minutes 10] [--trials 2000] [--keep DIRECTORY]

What may grow is what the driver must know of each trial (its config, its last metrics, its checkpoints): see
``EXPECTED``.  The figures are the resident memory of the driver (``VmRSS``).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.crash.storm import marked
from tests.soak.soaked import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("soaked.py")
EXPECTED = 2.0  # KiB of its own per trial: config, metrics, checkpoints, rung (1.2 of these: docs/decisions/0008)
LEAK = 0.02  # of the resident memory that may come on top of that per 1000 trials
WARM = 0.1  # of the trials that warm it up


class Sample(NamedTuple):
    """What was seen at one moment."""

    seconds: float
    ended: int
    kib: int
    files: int
    processes: int


class Soaked:
    """A run and its figures.

    Args:
        samples: taken while it ran, in order.
        trials: how many it was to run.
    """

    def __init__(self, samples: list[Sample], trials: int) -> None:
        self.samples, self.trials = samples, trials
        self.warm = [s for s in samples if s.ended >= trials * WARM]

    @property
    def kib_per_trial(self) -> float:
        """Slope of the resident memory over the trials that have ended, after the warm-up."""
        return float(statistics.linear_regression([s.ended for s in self.warm], [s.kib for s in self.warm]).slope)

    @property
    def allowed(self) -> float:
        return EXPECTED + LEAK * self.warm[0].kib / 1000

    def growth(self, what: str) -> float:
        """Return by how much the mean of *what* in the last third exceeds that in the first, after the warm-up."""
        values = [getattr(s, what) for s in self.warm]
        third = max(1, len(values) // 3)
        return float(statistics.mean(values[-third:]) - statistics.mean(values[:third]))

    def at(self, ended: int) -> Sample:
        return min(self.samples, key=lambda s: abs(s.ended - ended))

    def problems(self) -> list[str]:
        found = []
        if self.kib_per_trial > self.allowed:
            found.append(f"memory grows by {self.kib_per_trial:.2f} KiB per trial; {self.allowed:.2f} are allowed")
        if self.growth("files") > 2:
            found.append(f"open files grow by {self.growth('files'):.1f}")
        if self.growth("processes") > 2:
            found.append(f"processes grow by {self.growth('processes'):.1f}")
        return found

    def __str__(self) -> str:
        marks = [n for n in (self.trials // 10, self.trials // 2, self.trials) if n]
        resident = ", ".join(f"{self.at(n).kib / 1024:.1f} MiB at {self.at(n).ended} trials" for n in marks)
        files, processes = [s.files for s in self.warm], [s.processes for s in self.warm]
        return (
            f"{self.samples[-1].ended} trials in {self.samples[-1].seconds:.0f} s; driver resident: {resident}\n"
            f"{self.kib_per_trial:+.2f} KiB per trial after the warm-up ({self.allowed:.2f} allowed), "
            f"{self.kib_per_trial * 1000 / self.warm[0].kib:+.1%} per 1000 trials\n"
            f"open files {min(files)} to {max(files)}, growth {self.growth('files'):+.2f}; "
            f"processes {min(processes)} to {max(processes)}, growth {self.growth('processes'):+.2f}"
        )


def soak(storage: Path, trials: int, seconds: float) -> Soaked:
    """Run *trials* trials, which take about *seconds*, and watch.

    Raises:
        RuntimeError: the experiment did not end well.
    """
    marker = f"luthier-soak-{storage}-"
    command = [sys.executable, str(SCRIPT), str(storage), str(trials), str(seconds)]
    driver = subprocess.Popen(command, env={**os.environ, "SOAK": marker})
    ended, samples, began = endings(storage / NAME / "events"), [], time.monotonic()
    period = min(1.0, seconds / 100)
    try:
        while driver.poll() is None:
            time.sleep(period)
            with contextlib.suppress(OSError):  # it may be gone by now
                count = next(ended)
                files = len(os.listdir(f"/proc/{driver.pid}/fd"))
                samples.append(
                    Sample(time.monotonic() - began, count, resident(driver.pid), files, len(marked(marker)))
                )
    finally:
        driver.kill()
        driver.wait()
    if driver.returncode != 0 or next(ended) != trials:
        raise RuntimeError(f"the driver ended with {driver.returncode}, and {next(ended)} of {trials} trials")
    return Soaked(samples, trials)


def resident(pid: int) -> int:
    """Return the resident memory of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)  # a zombie has none


def endings(events: Path) -> Iterator[int]:
    """Yield how many trials have ended by now, each time one asks; reads only what is new in the log."""
    count = 0
    read: dict[Path, int] = {}
    while True:
        for path in sorted(events.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(read.get(path, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    read[path] = read.get(path, 0) + len(line)
                    count += line.count(b'{"is":"Ended"')
        yield count


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--keep", type=Path, help="directory to run in, which stays; a temporary one otherwise")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="luthier_soak_")))
        soaked = soak(folder, given.trials, given.minutes * 60)
    print(soaked)
    if problems := soaked.problems():
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
