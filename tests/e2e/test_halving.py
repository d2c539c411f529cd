"""The halving schedulers on a real model, in local processes: a classifier of digits that learns epoch by epoch."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from luthier import tune
from luthier.core import events as ev
from luthier.core.terms import Then
from luthier.tune.past import events_of
from luthier.tune.schedulers import ASHAPromotionScheduler, ASHAScheduler, PASHAScheduler

TRIALS, EPOCHS = 12, 9
X, y = load_digits(return_X_y=True)
X = X / 16


def train(config: dict[str, Any]) -> None:
    checkpoint = tune.get_checkpoint()
    if checkpoint is None:
        model, done = SGDClassifier(alpha=config["alpha"], random_state=0), 0
    else:
        model, done = pickle.loads(checkpoint.to_dict()["model"])
    for epoch in range(done, EPOCHS + 3):
        model.partial_fit(X[:1200], y[:1200], classes=range(10))
        saved = tune.Checkpoint.from_dict({"model": pickle.dumps((model, epoch + 1))})
        tune.report({"accuracy": float(model.score(X[1200:], y[1200:])), "epoch": epoch + 1}, checkpoint=saved)


def fit(scheduler, tmp_path):
    grid = tune.Tuner(
        train,
        param_space={"alpha": tune.loguniform(1e-6, 1e2)},
        tune_config=tune.TuneConfig(
            metric="accuracy", mode="max", num_samples=TRIALS, scheduler=scheduler, seed=4, max_concurrent_trials=3
        ),
        run_config=tune.RunConfig(
            storage_path=str(tmp_path), name="halving", verbose=0, resources={"cpu": 3},
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
        ),
    ).fit()  # fmt: skip
    assert grid.num_errors == 0 and len(grid) == TRIALS
    assert all(result.metrics["epoch"] == result.metrics["training_iteration"] for result in grid)
    return grid, list(events_of(str(tmp_path / "halving")))


@pytest.mark.parametrize("scheduler", [ASHAScheduler, ASHAPromotionScheduler, PASHAScheduler])
def test_the_good_go_on_and_the_bad_do_not(scheduler, tmp_path):
    grid, log = fit(scheduler(max_t=EPOCHS, reduction_factor=3), tmp_path)
    epochs = sorted(result.metrics["epoch"] for result in grid)
    assert sum(epochs) < TRIALS * EPOCHS / 2
    assert epochs[-1] == EPOCHS or (scheduler is PASHAScheduler and epochs[-1] >= 3)
    best = grid.get_best_result()
    assert best.metrics["accuracy"] > 0.85
    assert pickle.loads(best.checkpoint.to_dict()["model"])[1] == best.metrics["epoch"]
    decided = [event for event in log if isinstance(event, (ev.Halted, ev.Requeued)) and event.why]
    assert decided and all(event.reason for event in decided)
    paused = [event for event in decided if isinstance(event, ev.Halted) and event.then is Then.PAUSE]
    assert bool(paused) == (scheduler is not ASHAScheduler)
    # Who was promoted went on from its checkpoint.
    assert all(event.restore is not None for event in decided if isinstance(event, ev.Requeued))


def test_no_trial_begins_an_epoch_twice(tmp_path):
    _, log = fit(ASHAPromotionScheduler(max_t=EPOCHS, reduction_factor=2), tmp_path)
    seen: dict[str, list[int]] = {}
    for event in log:
        if isinstance(event, ev.Reported):
            seen.setdefault(event.trial, []).append(event.metrics["epoch"])
    assert all(epochs == list(range(1, len(epochs) + 1)) for epochs in seen.values())
