"""Keras 3: a small network reads handwritten digits; its model and optimizer come back from a checkpoint.

Runs on the backend that KERAS_BACKEND names.
"""

from __future__ import annotations

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from luthier import tune
from luthier.tune.integration.keras import TuneReportCheckpointCallback

EPOCHS = 4


def load():
    """Return pixels from 0 to 1 and digits: to learn from, and to judge by."""
    x, y = load_digits(return_X_y=True)
    return train_test_split(x.astype("float32") / 16, y, random_state=0)


def model_of(config):
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(config["units"], "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(config["rate"]), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(config):
    seen, unseen, digits, answers = load()
    keras.utils.set_random_seed(0)
    checkpoint = tune.get_checkpoint()  # of an attempt before this one, if there was any
    model = TuneReportCheckpointCallback.get_model(checkpoint) if checkpoint else model_of(config)
    done = int(model.optimizer.iterations) // -(-len(seen) // 64)
    model.fit(
        seen,
        digits,
        batch_size=64,
        epochs=EPOCHS,
        initial_epoch=done,
        verbose=0,
        validation_data=(unseen, answers),
        callbacks=[TuneReportCheckpointCallback({"loss": "val_loss", "accuracy": "val_accuracy"})],
    )


if __name__ == "__main__":
    results = tune.Tuner(
        train,
        param_space={"units": tune.choice([16, 64]), "rate": tune.loguniform(1e-3, 1e-1)},
        tune_config=tune.TuneConfig(metric="accuracy", mode="max", num_samples=3, seed=1),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    best = results.get_best_result()
    seen, unseen, digits, answers = load()
    model = TuneReportCheckpointCallback.get_model(best.checkpoint)
    accuracy = (model.predict(unseen, verbose=0).argmax(1) == answers).mean()
    print(f"accuracy of the best model, from its checkpoint: {accuracy:.3f}")
