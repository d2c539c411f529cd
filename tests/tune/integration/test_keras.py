"""Keras: what the callback reports, saves, and goes on from."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.train.tensorflow.keras import ReportCheckpointCallback
from luthier.tune.integration.keras import MOMENTS, TuneReportCallback, TuneReportCheckpointCallback

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = (X.sum(1) > 0).astype("float32")


def model_of(rate=0.1):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def learn(callback, model=None, epochs=2):
    model = model or model_of()
    model.fit(X, Y, epochs=epochs, batch_size=32, verbose=0, validation_data=(X, Y), callbacks=[callback])
    return model


def fit(train, tmp_path, **how):
    def trainable(config):
        train(config)

    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline", **how)
    return tune.Tuner(trainable, run_config=run).fit()[0]


def test_every_metric_of_an_epoch_and_the_model(tmp_path):
    result = fit(lambda config: learn(TuneReportCheckpointCallback()), tmp_path)
    assert result.error is None
    assert result.metrics["training_iteration"] == 2
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= result.metrics.keys()
    model = TuneReportCheckpointCallback.get_model(result.checkpoint)
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert loss == pytest.approx(result.metrics["val_loss"], rel=1e-4)
    assert accuracy == pytest.approx(result.metrics["val_accuracy"])


def test_names_and_no_checkpoints(tmp_path):
    callback = TuneReportCheckpointCallback({"mine": "val_loss"}, checkpoint_on=[])
    result = fit(lambda config: learn(callback), tmp_path)
    assert result.checkpoint is None
    assert result.metrics["mine"] > 0
    assert "val_loss" not in result.metrics


def test_each_moment_of_keras_is_heard():
    heard = []

    class Listens(TuneReportCheckpointCallback):
        def act(self, moment, logs):
            heard.append(moment)

    model = learn(Listens(), epochs=1)
    model.predict(X, verbose=0, callbacks=[Listens()])
    assert set(heard) == set(MOMENTS)


def test_it_goes_on_with_the_state_of_the_optimizer(tmp_path):
    def train(config):
        checkpoint = tune.get_checkpoint()
        model = TuneReportCheckpointCallback.get_model(checkpoint) if checkpoint else model_of()
        before = int(model.optimizer.iterations)
        learn(TuneReportCheckpointCallback("loss"), model, epochs=1)
        tune.report({"before": before, "loss": 0.0})
        if not checkpoint:
            raise RuntimeError("the machine died")

    result = fit(train, tmp_path, failure_config=tune.FailureConfig(max_failures=1))
    assert result.metrics["before"] == 2  # batches of the epoch before


def test_a_metric_that_is_not_there(tmp_path):
    error = fit(lambda config: learn(TuneReportCheckpointCallback("auc")), tmp_path).error
    assert isinstance(error, BadArgument)
    assert "'val_loss'" in str(error)


@pytest.mark.parametrize("named", ["report_metrics_on", "checkpoint_on"])
def test_a_moment_that_is_none(named):
    with pytest.raises(BadArgument, match=f"{named}='epoch'"):
        TuneReportCheckpointCallback(**{named: "epoch"})


def test_a_metric_of_several_numbers_is_a_list(tmp_path):
    def train(config):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
        model.compile("sgd", "categorical_crossentropy", metrics=[keras.metrics.F1Score()])
        model.fit(X, np.eye(2)[Y.astype(int)], verbose=0, callbacks=[TuneReportCheckpointCallback(checkpoint_on=[])])

    result = fit(train, tmp_path)
    assert result.error is None
    assert [type(one) for one in result.metrics["f1_score"]] == [float, float]


def test_arguments_in_the_order_of_ray_train(tmp_path):
    result = fit(lambda config: learn(ReportCheckpointCallback("train_end", "epoch_end", {"mine": "loss"})), tmp_path)
    assert (result.metrics["training_iteration"], len(result.best_checkpoints)) == (3, 1)
    assert result.metrics["mine"] > 0


def test_the_older_name_reports_only(tmp_path):
    def train(config):
        with pytest.warns(DeprecationWarning, match="TuneReportCallback"):
            callback = TuneReportCallback({"mine": "loss"}, on="epoch_begin")
        callback._chosen.names.clear()  # there is nothing yet when an epoch begins
        learn(callback)

    result = fit(train, tmp_path)
    assert (result.metrics["training_iteration"], result.checkpoint) == (2, None)


def test_keras_without_its_backend_is_told_of():
    script = "import sys; sys.modules['tensorflow'] = None; import luthier.tune.integration.keras"
    environ = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("Keras runs on TensorFlow unless told otherwise")


def test_a_file_that_keras_would_not_save():
    with pytest.raises(BadArgument, match=r"filename='model' .* give one that ends in .keras"):
        TuneReportCheckpointCallback(filename="model")
    TuneReportCheckpointCallback(filename="model", checkpoint_on=[])
    TuneReportCheckpointCallback(filename="model.h5")
