"""An experiment told by hand: events go into state, log and listeners, as the loop would have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.callbacks.folders import make_trial_dir
from luthier.core import events as ev
from luthier.core.goal import Goal
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Label, Outcome, Ref, Status, TrialId, WorkerId
from luthier.store.base import Record
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore

if TYPE_CHECKING:
    from pathlib import Path

    from luthier.callbacks.base import Listener

NOW = 1_790_000_000.0
W = WorkerId("w0")


class Story:
    def __init__(self, directory: Path, *listeners: Listener, goals: tuple[Goal, ...] = (Goal("loss", "min"),)) -> None:
        self.directory, self.listeners = directory, list(listeners)
        self.state = ExperimentState(goals)
        self.records: list[Record] = []
        self._seq: dict[str, int] = {}
        self._count = 0

    def emit(self, *events: ev.Event) -> None:
        self.records.append(Record(self._count, NOW + len(self.records), tuple(events)))
        self._count += len(events)
        for event in events:
            evolve(self.state, event)
        for listener in self.listeners:
            listener.on_events(events, self.state)

    def join(self, **resources: float) -> None:
        self.emit(ev.WorkerJoined(W, dict(resources) or {"cpu": 100.0}))

    def propose(self, number: int, config: dict[str, Any], name: str | None = None, **resources: float) -> TrialId:
        if not self.state.workers:
            self.join()
        trial = TrialId(f"x_{number:05d}")
        label = Label(name or f"f_{trial}", f"f_{trial}", f"{number}_x")
        self.emit(ev.Proposed(trial, number, config, dict(resources) or {"cpu": 1.0}, label))
        return trial

    def launch(self, trial: TrialId, config: dict[str, Any] | None = None) -> TrialId:
        t = self.state.trials[trial]
        make_trial_dir(self.directory, t.label.folder)
        self._seq[trial] = 0
        self.emit(ev.Launched(trial, t.attempt + 1, W, config or t.config, t.resources, t.checkpoint))
        return trial

    def start(self, number: int, config: dict[str, Any] | None = None, name: str | None = None) -> TrialId:
        return self.launch(self.propose(number, {"lr": 0.1 * number} if config is None else config, name))

    def report(self, trial: str, checkpoint: str | None = None, /, **metrics: Any) -> None:
        trial = TrialId(trial)
        seq = self._seq[trial]
        self._seq[trial] += 1
        filled = {"training_iteration": seq + 1, "time_total_s": 0.5 * (seq + 1), "timestamp": int(NOW) + seq}
        ref = None if checkpoint is None else Ref(f"f_{trial}/{checkpoint}")
        attempt = self.state.trials[trial].attempt
        self.emit(ev.Reported(trial, attempt, seq, {**metrics, **filled}, ref))

    def end(self, trial: str, status: Status = Status.DONE, error: str = "") -> None:
        trial = TrialId(trial)
        outcome = Outcome.ERROR if error else Outcome.FINISHED
        attempt = self.state.trials[trial].attempt
        self.emit(ev.Exited(trial, attempt, outcome, error), ev.Ended(trial, status, error))

    def again(self, trial: TrialId, config: dict[str, Any] | None = None) -> None:
        """Let a trial's attempt be lost, and launch the next one."""
        t = self.state.trials[trial]
        self.emit(
            ev.Exited(trial, t.attempt, Outcome.LOST),
            ev.Requeued(trial, config or t.config, t.checkpoint, t.resources),
        )
        self.launch(trial)

    def tick(self, now: float = NOW) -> None:
        for listener in self.listeners:
            listener.on_tick(now)

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()

    def folder(self, trial: TrialId) -> Path:
        return self.directory / self.state.trials[trial].label.folder

    def save(self, name: str = "quick") -> Path:
        """Write log and card, as an experiment's directory has them."""
        goals = self.state.goals
        card = ExperimentCard(
            name=name, trainable="f", metrics=[g.metric for g in goals], modes=[g.mode for g in goals],
            num_samples=1, seed=0, prefix="x", created=NOW, version="0",
        )  # fmt: skip
        card.write(self.directory)
        with JsonlStore(self.directory, fsync="never") as store:
            count = 0
            for record in self.records:
                count = store.append(record.events, count)
        return self.directory


TRACEBACK = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/torch/nn.py", line 3, in forward
    raise ValueError("no 7")
  File "train.py", line 12, in train
    model(x)
ValueError: no 7
"""
