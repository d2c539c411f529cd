"""The runs: each task, each contender, each seed.  What is done is kept, so that a run that was ended goes on."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.quality.contenders import CONTENDERS
from benchmarks.quality.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from luthier.core.terms import Config

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
NICE = 10


class Cell(NamedTuple):
    """A run that is to be done.

    Attributes:
        task: its name.
        contender: whose turn it is.
        seed: where its chance starts, and to where the task's function is moved.
        evaluations: how many.
        version: what task and contender depend on.
    """

    task: str
    contender: str
    seed: int
    evaluations: int
    version: str


class Run(NamedTuple):
    """A run that is done.

    Attributes:
        cell: what was to be done.
        better: (number of the evaluation, from 1; loss), each time that the loss was the least so far.
        cpu_s: seconds of its process, the task's own included.
    """

    cell: Cell
    better: list[tuple[int, float]]
    cpu_s: float

    @property
    def loss(self) -> float:
        """The least loss."""
        return self.better[-1][1] if self.better else math.inf

    def at(self, evaluation: int) -> float:
        """Return the least loss of the first *evaluation* evaluations."""
        return min((loss for number, loss in self.better if number <= evaluation), default=math.inf)


def cells(tasks: Iterable[str], contenders: Sequence[str], seeds: int, evaluations: int) -> list[Cell]:
    """Return all runs that are to be done: seed by seed, so that what is there after a while says something."""
    of = {name: f"{CONTENDERS[name].version}, tasks {sources()}" for name in contenders}
    names = list(tasks)
    return [
        Cell(task, name, seed, evaluations, of[name]) for seed in range(seeds) for task in names for name in contenders
    ]


def sources() -> str:
    """Return what changes when a task does."""
    digest, folder = sha256(), Path(__file__).parent
    for name in ("functions", "models", "peers", "tasks"):
        digest.update((folder / f"{name}.py").read_bytes())
    return digest.hexdigest()[:12]


def done(cell: Cell) -> Run:
    """Do one run."""
    better: list[tuple[int, float]] = []
    count, task = 0, TASKS[cell.task].moved(cell.seed)

    def loss(config: Config) -> float:
        nonlocal count
        count += 1
        value = task.loss(config)
        if not better or value < better[-1][1]:
            better.append((count, value))
        return value

    start = time.process_time()
    CONTENDERS[cell.contender].search(task._replace(loss=loss), cell.evaluations, cell.seed)
    if count != cell.evaluations:
        raise SystemExit(f"{cell.contender} evaluated {count} points of {cell.task}, not {cell.evaluations}")
    return Run(cell, better, round(time.process_time() - start, 3))


def runs(wanted: Sequence[Cell], keep: Path | None, processes: int, say: Callable[[str], None]) -> list[Run]:
    """Return all runs: those that *keep* has, and the others, done now.

    Args:
        wanted: which.
        keep: a file with a line of JSON for each run; None to keep nothing.
        processes: how many at a time; 1 for this one.
        say: hears how far it is.
    """
    have = {run.cell: run for run in kept(keep)}
    missing = [cell for cell in wanted if cell not in have]
    say(f"{len(wanted) - len(missing)} runs are there, {len(missing)} are to be done")
    for count, run in enumerate(_each(missing, processes), 1):
        have[run.cell] = run
        if keep is not None:
            with keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**run.cell._asdict(), "better": run.better, "cpu_s": run.cpu_s}) + "\n")
        if count % 60 == 0:
            say(f"{count} of {len(missing)}")
    return [have[cell] for cell in wanted]


def kept(keep: Path | None) -> Iterator[Run]:
    """Return the runs that are in a file."""
    if keep is None or not keep.exists():
        return
    for line in keep.read_text("utf-8").splitlines():
        try:
            said: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:  # it was ended while it wrote that
            continue
        better, cpu_s = [(number, loss) for number, loss in said.pop("better")], said.pop("cpu_s")
        yield Run(Cell(**said), better, cpu_s)


def _each(missing: Sequence[Cell], processes: int) -> Iterator[Run]:
    if processes == 1:
        yield from map(done, missing)
        return
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # of the children, who load numpy only now
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(processes, mp_context=context, initializer=os.nice, initargs=(NICE,)) as pool:
            for future in as_completed([pool.submit(done, cell) for cell in missing]):
                yield future.result()
    finally:
        for name in ONE_THREAD:
            if name in before:
                os.environ[name] = before[name]
            else:
                os.environ.pop(name, None)
