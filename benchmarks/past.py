"""An experiment that is over, written as its driver would have left it, but without running it."""

from __future__ import annotations

import os
import random
from typing import Any

from luthier import __version__, tune
from luthier.core import events as ev
from luthier.core.terms import Label, Outcome, Status, TrialId, WorkerId
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.tune import kit

STARTED = 1_790_000_000.0


def train(config):
    """Stand for what was trained; nobody calls it."""


def metrics(chance: random.Random, step: int, at: float) -> dict[str, Any]:
    """Return what a worker makes of a report of loss and accuracy."""
    return {
        "loss": chance.random() / (step + 1),
        "accuracy": chance.random(),
        "training_iteration": step + 1,
        "time_this_iter_s": 0.25 * chance.random(),
        "time_total_s": 0.25 * (step + 1),
        "time_since_restore": 0.25 * (step + 1),
        "iterations_since_restore": step + 1,
        "timestamp": int(at),
        "pid": 4711,
        "hostname": "here",
        "node_ip": "192.0.2.2",
        "done": False,
    }


def write(directory: str, trials: int, reports: int) -> None:
    """Write an experiment of *trials* trials that reported *reports* times each and came to their end."""
    os.makedirs(directory)
    card = ExperimentCard(
        name="past", trainable="train", metrics=["loss"], modes=["min"], num_samples=trials, seed=1, prefix="p",
        created=STARTED, version=__version__,
    )  # fmt: skip
    card.write(directory)
    space = {"lr": tune.uniform(0.0, 1.0), "layers": tune.randint(1, 8), "model": {"width": 64, "act": "relu"}}
    goal = tune.TuneConfig(metric="loss", mode="min", num_samples=trials)
    kit.save(directory, {"param_space": space, "tune_config": goal, "run_config": tune.RunConfig(verbose=0)})
    chance, at, worker = random.Random(1), STARTED, WorkerId("local")
    with JsonlStore(directory, fsync="never", clock=lambda: at) as store:
        end = store.append([ev.WorkerJoined(worker, {"cpu": 1.0})], 0)
        for number in range(trials):
            trial = TrialId(f"p_{number:05d}")
            config = {"lr": chance.random(), "layers": 1 + number % 7, "model": {"width": 64, "act": "relu"}}
            label = Label(f"train_{trial}", f"train_{trial}", f"{number}_lr={config['lr']:.4f}")
            born = ev.Proposed(trial, number, config, {"cpu": 1.0}, label)
            end = store.append([born, ev.Launched(trial, 1, worker, config, {"cpu": 1.0})], end)
            for step in range(reports):
                at += 0.25
                end = store.append([ev.Reported(trial, 1, step, metrics(chance, step, at))], end)
            end = store.append([ev.Exited(trial, 1, Outcome.FINISHED), ev.Ended(trial, Status.DONE)], end)
