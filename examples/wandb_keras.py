"""Keras 3 with W&B's own client: a plain training script. WANDB_BASE_URL and WANDB_API_KEY say where its rows go.

It is also the program of a sweep: what the sweep has chosen takes the place of the defaults.  Runs on the backend that
KERAS_BACKEND names; W&B's own callback for Keras would want TensorFlow, so what an epoch has brought is logged by hand.
"""

from __future__ import annotations

import keras
import wandb
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

DEFAULTS = {"units": 32, "rate": 0.01, "epochs": 5}


def train(run):
    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    seen, unseen, digits, answers = train_test_split(x.astype("float32") / 16, y, random_state=0)
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(run.config.units, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(run.config.rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    logged = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: run.log({"epoch": epoch, **logs}))
    model.fit(
        seen,
        digits,
        batch_size=64,
        epochs=run.config.epochs,
        verbose=0,
        validation_data=(unseen, answers),
        callbacks=[logged],
    )
    return model


if __name__ == "__main__":
    with wandb.init(project="digits", config=DEFAULTS) as run:
        model = train(run)
        model.save("model.keras")
        run.save("model.keras")
        print(f"accuracy on digits never seen: {run.summary['val_accuracy']:.3f}")
