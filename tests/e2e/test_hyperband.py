"""HyperBand over real processes: classifiers of handwritten digits that are paused and go on from their checkpoints."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from luthier import tune
from luthier.core import events as ev
from luthier.tune.past import events_of
from luthier.tune.schedulers import HyperBandForBOHB, HyperBandScheduler

BAND = 3 + 5 + 9  # with max_t=9: 3 from 9, 5 from 3, 9 from 1


def reads_digits(config: dict[str, Any]) -> None:
    x, y = load_digits(return_X_y=True)
    x, order = x / 16, np.random.default_rng(0).permutation(len(x))
    train, test = order[:1400], order[1400:]
    model, done = SGDClassifier(alpha=config["alpha"], random_state=0), 0
    restored = tune.get_checkpoint()
    if restored is not None and config["saves"]:
        model = pickle.loads(restored.to_dict()["model"])
        done = restored.to_dict()["epochs"]
    for epoch in range(done, 12):
        model.partial_fit(x[train], y[train], classes=range(10))
        saved = tune.Checkpoint.from_dict({"model": pickle.dumps(model), "epochs": epoch + 1})
        metrics = {"accuracy": model.score(x[test], y[test]), "seen": int(model.t_ - 1), "epoch": epoch + 1}
        tune.report(metrics, checkpoint=saved if config["saves"] else None)


def fit(tmp_path, scheduler, *, trials=BAND, saves=True):
    return tune.Tuner(
        reads_digits,
        param_space={"alpha": tune.loguniform(1e-6, 1.0), "saves": saves},
        tune_config=tune.TuneConfig(metric="accuracy", mode="max", num_samples=trials, scheduler=scheduler, seed=7),
        run_config=tune.RunConfig(storage_path=tmp_path, name="e", verbose=0, resources={"cpu": 3}),
    ).fit()


@pytest.mark.parametrize("kind", [HyperBandScheduler, HyperBandForBOHB])
def test_a_band_of_classifiers(tmp_path, kind):
    grid = fit(tmp_path, kind(max_t=9, reduction_factor=3))
    assert grid.num_errors == 0
    assert Counter(result.metrics["epoch"] for result in grid) == {9: 3 + 2 + 1, 3: 3 + 2, 1: 6}
    for result in grid:  # no step is lost and none is done twice, and the model is the one that was paused
        frame = result.metrics_dataframe
        assert list(frame["epoch"]) == list(range(1, len(frame) + 1)) == list(frame["training_iteration"])
        assert list(frame["seen"]) == [1400 * epoch for epoch in frame["epoch"]]
    events = list(events_of(grid.experiment_path))
    resumed = {e.trial for e in events if isinstance(e, ev.Launched) and e.restore}
    assert len(resumed) >= 4  # the last to come to a rung may go on without a pause
    said = [e.why for e in events if isinstance(e, (ev.Halted, ev.Ended, ev.Requeued)) and e.why]
    assert {why["rung"] for why in said} == {1, 3, 9} and {why["bracket"] for why in said} == {0, 1, 2}
    assert grid.get_best_result().metrics["accuracy"] > 0.9


def test_who_saves_nothing_begins_again_and_comes_to_an_end(tmp_path):
    grid = fit(tmp_path, HyperBandForBOHB(max_t=9), trials=6, saves=False)
    assert grid.num_errors == 0
    assert Counter(max(result.metrics_dataframe["epoch"]) for result in grid) == {9: 1, 3: 1, 1: 4}
