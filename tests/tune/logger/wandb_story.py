"""A log written by hand, and the process that tells W&B of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import wandb

from luthier.callbacks.wandb.job import Job
from luthier.callbacks.wandb.telling import Telling
from luthier.core import events as ev
from luthier.core.terms import Label, Outcome, Status, TrialId, WorkerId
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore

if TYPE_CHECKING:
    from pathlib import Path

WORKER = WorkerId("local")


class Story:
    """An experiment's directory whose log is written event by event."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        ExperimentCard(name="story", trainable="f", num_samples=1, seed=7, prefix="ab", created=1.0, version="0").write(
            directory
        )
        self._store = JsonlStore(directory)
        self._end = self._store.append([ev.WorkerJoined(WORKER, {"cpu": 1.0})], after=0)
        self._attempts: dict[str, int] = {}
        self._seq: dict[str, int] = {}

    def write(self, *events: ev.Event) -> None:
        self._end = self._store.append(events, after=self._end)

    def born(self, trial: str, **config: Any) -> None:
        (self.directory / trial).mkdir()
        number = len(self._attempts)
        self._attempts[trial] = 0
        self.write(ev.Proposed(TrialId(trial), number, config, {}, Label(f"f_{trial}", trial, str(number))))

    def launched(self, trial: str, **config: Any) -> None:
        self._attempts[trial] += 1
        self._seq[trial] = 0
        self.write(ev.Launched(TrialId(trial), self._attempts[trial], WORKER, config, {}))

    def reported(self, trial: str, iteration: int, **metrics: Any) -> None:
        told = {**metrics, "training_iteration": iteration}
        self.write(ev.Reported(TrialId(trial), self._attempts[trial], self._seq[trial], told))
        self._seq[trial] += 1

    def exited(self, trial: str, outcome: Outcome = Outcome.FINISHED) -> None:
        self.write(ev.Exited(TrialId(trial), self._attempts[trial], outcome))

    def ended(self, trial: str, status: Status = Status.DONE) -> None:
        self.exited(trial)
        self.write(ev.Ended(TrialId(trial), status))

    def telling(self, **more: Any) -> Telling:
        init = {"project": "p", "settings": {"init_timeout": 1.0}, **more.pop("init", {})}
        return Telling(Job(str(self.directory), init, timeout_s=more.pop("timeout_s", 60.0), **more))


def gone(pid: int, within: float = 30.0) -> bool:
    """Return whether the process *pid* ends in time."""
    import psutil

    until = time.monotonic() + within
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


assert wandb.__version__, "the real client"
