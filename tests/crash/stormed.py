"""A script to be killed again and again: trials that save, fail, are paused and stopped early.

    python stormed.py STORAGE '{"kind": "function", ...}'

It begins the experiment, or goes on with it where there is one.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path

from luthier import tune
from luthier.core import events as ev
from luthier.core.policy import Pause, Resume
from luthier.core.terms import Status
from luthier.schedulers.asha import Asha

NAME, STEPS, TRIALS = "stormed", 12, 10
BLOB = 1 << 16


class PausingAsha(Asha):
    """ASHA that also pauses a trial now and then, and lets the paused go on at some later news."""

    def decide(self, news, experiment, rng):
        decisions = list(super().decide(news, experiment, rng))
        chance = rng.split(7)
        if isinstance(news, ev.Reported) and not decisions and chance.random() < 0.15:
            decisions.append(Pause(news.trial))
        paused = list(experiment.having(Status.PAUSED))
        return decisions + [Resume(t) for t in paused if isinstance(news, ev.Stalled) or chance.random() < 0.3]


def write_state(folder, trial, step):
    """Write a checkpoint of several files, which only together make sense."""
    blob = random.Random(f"{trial} {step}").randbytes(BLOB)
    Path(folder, "weights.bin").write_bytes(blob)
    Path(folder, "deeper").mkdir()
    Path(folder, "deeper", "state.json").write_text(
        json.dumps({"trial": trial, "step": step, "sha": hashlib.sha256(blob).hexdigest()})
    )


def read_state(folder):
    """Return trial and step of a checkpoint that is whole."""
    state = json.loads(Path(folder, "deeper", "state.json").read_text())
    blob = Path(folder, "weights.bin").read_bytes()
    assert len(blob) == BLOB
    assert hashlib.sha256(blob).hexdigest() == state["sha"]
    return state["trial"], state["step"]


def acknowledge(folder, trial, step):
    """Note it beside the experiment, given the trial's directory."""
    fd = os.open(Path(folder).parents[1] / "acknowledged", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{trial} {step}\n".encode())
    os.close(fd)


def train(config, folder, trial, step):
    """Take a step; some of them fail, each once."""
    time.sleep(random.uniform(0.01, 0.05))
    mark = Path(folder, f"failed_{step}")
    if random.Random(f"{trial} {step}").random() < 0.06 and not mark.exists():
        mark.touch()
        raise RuntimeError(f"step {step} fails, this time")
    return {"step": step, "score": config["x"] * step}


def stormed(config):
    context = tune.get_context()
    trial, done = context.get_trial_id(), 0
    if (checkpoint := tune.get_checkpoint()) is not None:
        with checkpoint.as_directory() as folder:
            whose, done = read_state(folder)
            assert whose == trial
    for step in range(done + 1, STEPS + 1):
        result = train(config, context.get_trial_dir(), trial, step)
        if step % config["every"]:
            tune.report(result)
        else:
            with tempfile.TemporaryDirectory() as folder:
                write_state(folder, trial, step)
                tune.report(result, checkpoint=tune.Checkpoint.from_directory(folder))
        acknowledge(context.get_trial_dir(), trial, step)


class Stormed(tune.Trainable):
    def setup(self, config):
        self.done = self.restored = 0

    def reset_config(self, new_config):
        self.done = self.restored = 0
        return True

    def step(self):
        if self.done > self.restored:
            acknowledge(self.logdir, self.trial_id, self.done)  # it was taken, or there would be no further step
        result = train(self.config, self.logdir, self.trial_id, self.done + 1)
        self.done += 1
        return result | {"done": self.done == STEPS}

    def save_checkpoint(self, checkpoint_dir):
        write_state(checkpoint_dir, self.trial_id, self.done)

    def load_checkpoint(self, checkpoint):
        whose, self.done = read_state(checkpoint)
        assert whose == self.trial_id
        self.restored = self.done


def begun(storage, *, kind, every, keep, reuse, run):
    return tune.Tuner(
        Stormed if kind == "class" else stormed,
        param_space={"x": tune.uniform(0, 1), "every": every},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            num_samples=TRIALS,
            max_concurrent_trials=3,
            reuse_actors=reuse,
            scheduler=PausingAsha(max_t=STEPS + 1, grace_period=4, reduction_factor=3),
        ),
        run_config=tune.RunConfig(
            name=NAME,
            storage_path=storage,
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=40),
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=keep, checkpoint_frequency=every if kind == "class" else 0
            ),
            **run,
        ),
    )


if __name__ == "__main__":
    warnings.simplefilter("error")
    storage, options = sys.argv[1], json.loads(sys.argv[2])
    path = os.path.join(storage, NAME)
    trainable = Stormed if options["kind"] == "class" else stormed
    again = tune.Tuner.can_restore(path) and os.path.exists(os.path.join(path, "experiment.json"))
    tuner = tune.Tuner.restore(path, trainable) if again else begun(storage, **options)
    tuner.fit()
