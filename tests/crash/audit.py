"""What must be true of an experiment after a storm."""

from __future__ import annotations

import csv
import json
from collections import Counter
from typing import TYPE_CHECKING

from luthier.callbacks.result_files import CSV, JSON
from luthier.core import events as ev
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Status
from luthier.store.jsonl import JsonlStore
from tests.crash.stormed import NAME, STEPS, TRIALS, read_state

if TYPE_CHECKING:
    from pathlib import Path


def check_all(storage: Path, acknowledged: Path) -> Counter[str]:
    """Check the experiment in *storage*, which has ended; return how much of what there was."""
    directory = storage / NAME
    store = JsonlStore(directory, readonly=True)
    events = [event for record in store.read() for event in record.events]
    assert store.writer() is None, "the lock was not given up"
    experiment = ExperimentState()
    for event in events:
        evolve(experiment, event)

    proposed = [event.number for event in events if isinstance(event, ev.Proposed)]
    assert proposed == list(range(TRIALS)), proposed
    for t in experiment.trials.values():
        assert t.status in (Status.DONE, Status.STOPPED), (t.id, t.status, t.reason)
    reports = [event for event in events if isinstance(event, ev.Reported)]
    keys = Counter((r.trial, r.attempt, r.seq) for r in reports)
    assert max(keys.values()) == 1, [key for key, n in keys.items() if n > 1]

    in_log = Counter((r.trial, r.metrics["step"]) for r in reports)
    told = Counter((trial, int(step)) for trial, step in map(str.split, acknowledged.read_text().splitlines()))
    for key, times in told.items():
        assert in_log[key] >= times, f"{key} was acknowledged {times} times and is {in_log[key]} times in the log"

    steps_of(events)
    for t in experiment.trials.values():
        mine = [r.metrics["step"] for r in reports if r.trial == t.id]
        assert set(mine) == set(range(1, max(mine, default=0) + 1)), (t.id, mine)
        if t.status is Status.DONE:
            assert mine[-1] == STEPS, (t.id, mine)
        check_files(directory / t.label.folder, mine)
        check_checkpoints(directory, t)
    return Counter(
        acknowledged=sum(told.values()),
        reports=len(reports),
        trials=len(experiment.trials),
        attempts=sum(t.attempt for t in experiment.trials.values()),
        pauses=sum(isinstance(event, ev.Paused) for event in events),
        failures=sum(t.failures for t in experiment.trials.values()),
        stopped=len(experiment.by_status[Status.STOPPED]),
        torn=len(store.torn),
    )


def steps_of(events: list[ev.Event]) -> None:
    """Check that every attempt goes on where its checkpoint was left, and from there one by one."""
    saved: dict[str, int] = {}  # step by checkpoint
    latest: dict[str, str | None] = {}  # checkpoint by trial
    at: dict[str, int] = {}  # step by trial
    for event in events:
        match event:
            case ev.Launched(trial, attempt, restore=restore):
                assert restore == latest.get(trial), (trial, attempt, restore, latest.get(trial))
                at[trial] = 0 if restore is None else saved[restore]
            case ev.Reported(trial, attempt, seq, metrics, checkpoint):
                assert metrics["step"] == at[trial] + 1, (trial, attempt, seq, metrics["step"], at[trial])
                assert metrics["training_iteration"] == metrics["step"], (trial, attempt, seq, metrics)
                at[trial] = metrics["step"]
                if checkpoint is not None:
                    saved[checkpoint], latest[trial] = at[trial], checkpoint
            case ev.Exited(trial, checkpoint=str(checkpoint)):
                saved[checkpoint], latest[trial] = at[trial], checkpoint
            case _:
                pass


def check_files(folder: Path, steps: list[int]) -> None:
    if not steps:
        return
    rows = [json.loads(line) for line in (folder / JSON).read_text().splitlines()]
    assert [row["step"] for row in rows] == steps, folder
    with (folder / CSV).open(newline="") as table:
        assert [int(row["step"]) for row in csv.DictReader(table)] == steps, folder
    assert (folder / "params.json").exists()


def check_checkpoints(directory: Path, t) -> None:
    """Check that what the log names is there and whole, and that nothing that can be seen is half of one."""
    folder = directory / t.label.folder
    for kept in t.kept:
        trial, _ = read_state(directory / kept.ref)
        assert trial == t.id
    if not folder.exists():
        return
    seen = {path.name for path in folder.iterdir() if path.name.startswith("checkpoint_")}
    for name in seen:
        read_state(folder / name)
    named = {kept.ref.rpartition("/")[2] for kept in t.kept}
    assert seen == named, f"{folder}: {sorted(seen - named)} are there and not named by the log"
