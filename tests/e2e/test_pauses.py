"""Trials that are paused, resumed and restarted from others, through the public face and every executor."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.policy import Exploit, Pause, Resize, Resume, Stop
from luthier.core.terms import Status
from luthier.schedulers.fifo import Fifo
from luthier.testing.trainables import Counter, Reusable
from luthier.tune.past import events_of

WAYS = [("process", False), ("process", True), ("inline", False), ("inline", True)]
every_way = pytest.mark.parametrize(
    ("executor", "reuse"), WAYS, ids=[f"{kind}-{'reuse' if reuse else 'fresh'}" for kind, reuse in WAYS]
)


class Rungs(Fifo):
    """Pauses everybody at each rung; when all have come, the better half goes on and the others stop."""

    def __init__(self, rungs=(2, 4), most=6):
        self.rungs, self.most = rungs, most

    def decide(self, news, experiment, rng):
        if isinstance(news, ev.Reported):
            at = news.metrics["training_iteration"]
            return (Stop(news.trial),) if at >= self.most else (Pause(news.trial),) if at in self.rungs else ()
        if isinstance(news, ev.Stalled):
            ranked = sorted(experiment.having(Status.PAUSED), key=lambda t: experiment.trial(t).score)
            half = (len(ranked) + 1) // 2
            return (*map(Resume, ranked[:half]), *(Stop(t, "not in the better half") for t in ranked[half:]))
        return ()


def counting(config: dict[str, Any]) -> None:
    restored = tune.get_checkpoint()
    done = restored.to_dict()["done"] if restored is not None else 0
    for i in range(done, 10):
        checkpoint = tune.Checkpoint.from_dict({"done": i + 1})
        tune.report({"count": i + 1, "loss": config["x"], "from": done}, checkpoint=checkpoint)


class Counting(Counter):
    def setup(self, config):
        super().setup({"n": 10})

    def step(self):
        self.count += 1
        return {"count": self.count, "loss": self.config["x"]}

    def reset_config(self, new_config):
        self.count = 0
        return True


class NeverReset(Counting):
    def reset_config(self, new_config):
        return False


def fit(tmp_path, trainable, scheduler, *, executor="process", reuse=False, keep=None, xs=(3, 1, 2, 0), cpus=2, **run):
    return tune.Tuner(
        trainable,
        param_space={"x": tune.grid_search(list(xs))},
        tune_config=tune.TuneConfig(metric="loss", mode="min", scheduler=scheduler, reuse_actors=reuse),
        run_config=tune.RunConfig(
            name="e", storage_path=tmp_path, verbose=0, executor=executor, resources={"cpu": cpus},
            checkpoint_config=tune.CheckpointConfig(num_to_keep=keep), **run,
        ),
    ).fit()  # fmt: skip


def counts(grid) -> dict[int, list[int]]:
    return {result.config["x"]: list(result.metrics_dataframe["count"]) for result in grid}


@every_way
@pytest.mark.parametrize("trainable", [counting, Counting, NeverReset])
def test_halving_loses_no_step_and_doubles_none(tmp_path, trainable, executor, reuse):
    grid = fit(tmp_path, trainable, Rungs(), executor=executor, reuse=reuse, keep=1)
    assert grid.num_errors == 0
    assert counts(grid) == {3: [1, 2], 2: [1, 2], 1: [1, 2, 3, 4], 0: [1, 2, 3, 4, 5, 6]}
    events = list(events_of(grid.experiment_path))
    assert sum(isinstance(e, ev.Paused) for e in events) == 4 + 2
    for result in grid:
        assert list(result.metrics_dataframe["training_iteration"]) == list(result.metrics_dataframe["count"])
        assert result.checkpoint is not None
        assert Path(result.checkpoint.path).is_dir()


class Copying(Fifo):
    """Once the trial with x=1 has reported *at* times, has it copy the one with x=0, which must be as far."""

    def __init__(self, at=3, config=None, wait=0):
        self.at, self.config, self.wait, self.done = at, config or {"x": -1}, wait, False

    def decide(self, news, experiment, rng):
        if not isinstance(news, ev.Reported) or self.done:
            return ()
        trials = {experiment.trial(t).config["x"]: t for s in Status for t in experiment.having(s)}
        if len(trials) < 2 or experiment.trial(trials[1]).metrics.get("training_iteration", 0) < self.at:
            return ()
        donor = experiment.trial(trials[0])
        if donor.metrics.get("training_iteration", 0) < self.at:
            return ()
        self.done = True
        return (Exploit(trials[1], self.config, donor.checkpoint),)


class Steady(Counting):
    """Goes on until it is told to stop, saving itself at each step; says what it was restored from."""

    def setup(self, config):
        super().setup(config)
        self.origin = 0

    def reset_config(self, new_config):
        self.origin = 0
        return super().reset_config(new_config)

    def step(self):
        time.sleep(0.01)
        return {**super().step(), "origin": self.origin, "should_checkpoint": True, "done": self.count >= 29}

    def save_checkpoint(self, checkpoint_dir):
        Path(checkpoint_dir, "state.json").write_text(json.dumps({"count": self.count, "x": self.config["x"]}))

    def load_checkpoint(self, checkpoint):
        state = json.loads(Path(checkpoint, "state.json").read_text())
        self.count, self.origin = state["count"], 1 + state["x"]


@pytest.mark.parametrize("reuse", [False, True])
def test_exploiting_a_donor_that_keeps_deleting(tmp_path, reuse):
    # The donor keeps one checkpoint and makes a new one every 10 ms, long before the other has let go.
    grid = fit(tmp_path, Steady, Copying(), reuse=reuse, keep=1, xs=(0, 1))
    donor, heir = grid
    assert grid.num_errors == 0
    assert heir.config == {"x": -1}
    first = int((heir.metrics_dataframe["origin"] == 1).to_numpy().argmax())  # where it went on from the donor
    count = list(heir.metrics_dataframe["count"])
    assert first >= 3
    assert count[first:] == list(range(count[first], 30))
    assert count[first] >= 4
    for result in (donor, heir):  # nothing is left of what was kept only for the other's sake
        assert [p.name for p in Path(result.path).glob("checkpoint_*")] == [Path(result.checkpoint.path).name]
    launched = [e for e in events_of(grid.experiment_path) if isinstance(e, ev.Launched) and e.restore]
    gone = [e.checkpoint for e in events_of(grid.experiment_path) if isinstance(e, ev.Forgotten)]
    assert [e.restore in gone for e in launched] == [True]  # it went in the end, as all do


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_a_reused_class_gets_the_new_config(tmp_path, executor):
    class Told(Reusable):
        def step(self):
            time.sleep(0.01)
            return {**super().step(), "loss": 0.0, "x": self.config["x"], "should_checkpoint": True}

    class Once(Fifo):
        def decide(self, news, experiment, rng):
            if isinstance(news, ev.Reported) and news.attempt == 1 and news.metrics["count"] == 2:
                checkpoint = experiment.trial(news.trial).checkpoint
                return (Exploit(news.trial, {"x": news.metrics["x"] + 10, "n": 4}, checkpoint),)
            return ()

    grid = tune.Tuner(
        Told,
        param_space={"x": tune.grid_search([0, 1]), "n": 4},
        tune_config=tune.TuneConfig(scheduler=Once(), reuse_actors=True, metric="loss", mode="min"),
        run_config=tune.RunConfig(storage_path=tmp_path, verbose=0, executor=executor, resources={"cpu": 1}),
    ).fit()
    assert grid.num_errors == 0
    for x, result in enumerate(grid):
        frame = result.metrics_dataframe
        assert list(frame["count"]) == [1, 2, 3, 4]
        assert list(frame["x"]) == [x, x, x + 10, x + 10]
        assert list(frame["config_n"]) == [4] * 4
        assert frame["resets"].iloc[-1] >= 1


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_who_never_saved_begins_again_and_that_is_said_once(tmp_path, executor, caplog):
    def forgetful(config):
        for i in range(3):
            tune.report({"count": i + 1, "loss": config["x"]})

    with caplog.at_level(logging.WARNING, "luthier"):
        grid = fit(tmp_path, forgetful, Once(Pause), executor=executor, xs=(0, 1))
    assert counts(grid) == {0: [1, 2, 1, 2, 3], 1: [1, 2, 1, 2, 3]}
    assert len([r for r in caplog.records if "never saved a checkpoint" in r.message]) == 1


class Once(Fifo):
    """Does something to each trial at its second report, and resumes whoever waits when nothing else runs."""

    def __init__(self, decision):
        self.decision = decision

    def decide(self, news, experiment, rng):
        if isinstance(news, ev.Reported) and news.attempt == 1 and news.metrics["training_iteration"] == 2:
            return (self.decision(news.trial),)
        return tuple(map(Resume, experiment.having(Status.PAUSED))) if isinstance(news, ev.Stalled) else ()


@every_way
@pytest.mark.parametrize("trainable", [counting, Counting])
def test_other_resources_from_the_checkpoint_on(tmp_path, trainable, executor, reuse):
    def resize(trial):
        return Resize(trial, {"cpu": 2.0})

    grid = fit(
        tmp_path, trainable, Once(resize), executor=executor, reuse=reuse, xs=(0, 1), stop={"training_iteration": 4}
    )
    assert counts(grid) == {0: [1, 2, 3, 4], 1: [1, 2, 3, 4]}


def test_a_pause_waits_for_the_next_report_however_short_the_grace(tmp_path):
    # The one trial pauses the other, which is in the middle of a step that takes far longer than grace_s.
    class PausesOther(Fifo):
        done = False

        def decide(self, news, experiment, rng):
            if isinstance(news, ev.Stalled):
                return tuple(map(Resume, experiment.having(Status.PAUSED)))
            if not isinstance(news, ev.Reported) or self.done or experiment.trial(news.trial).config["x"] != 0:
                return ()
            others = [t for t in experiment.having(Status.RUNNING) if experiment.trial(t).config["x"] == 1]
            self.done = bool(others) and experiment.trial(others[0]).metrics.get("count") == 1
            return tuple(map(Pause, others)) if self.done else ()

    def trainable(config):
        restored = tune.get_checkpoint()
        done = restored.to_dict()["done"] if restored is not None else 0
        for i in range(done, 3):
            if config["x"] == 1 and i == 1:
                with (tmp_path / "long steps").open("a") as file:
                    file.write("began\n")
                time.sleep(1.5)
            tune.report({"count": i + 1, "loss": 0.0}, checkpoint=tune.Checkpoint.from_dict({"done": i + 1}))
        for _ in range(200 if config["x"] == 0 else 0):
            time.sleep(0.01)
            tune.report({"count": 0, "loss": 0.0})

    grid = fit(tmp_path, trainable, PausesOther(), xs=(0, 1), grace_s=0.1)
    assert counts(grid)[1] == [1, 2, 3]
    assert (tmp_path / "long steps").read_text() == "began\n"  # and was not interrupted: nothing is done twice
    halted = [e for e in events_of(grid.experiment_path) if isinstance(e, ev.Halted)]
    assert len(halted) == 1
