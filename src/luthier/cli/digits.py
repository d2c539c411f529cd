"""What the demo tunes: a small network that reads handwritten digits (scikit-learn's, 8 x 8 pixels).

scikit-learn is imported here, at the top, so that the process from which trials are forked has it already.
"""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from luthier import tune

MODEL = "model.pkl"
EPOCHS = 27
# What MLPClassifier itself would choose.
DEFAULTS: dict[str, Any] = {"hidden": 100, "lr": 1e-3, "alpha": 1e-4, "batch_size": 200, "activation": "relu"}


class Split(NamedTuple):
    """Images (n x 64, scaled to 0..1) and their digits."""

    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]


class Digits(NamedTuple):
    """Three parts: to learn from, to choose by, and one that nobody sees before the end."""

    train: Split
    validation: Split
    test: Split


def load() -> Digits:
    """Return the digits, always split alike: 1077 to learn from, 360 to choose by, 360 held out."""
    x, y = load_digits(return_X_y=True)
    rest_x, test_x, rest_y, test_y = train_test_split(x / 16, y, test_size=360, stratify=y, random_state=0)
    train_x, val_x, train_y, val_y = train_test_split(rest_x, rest_y, test_size=360, stratify=rest_y, random_state=0)
    return Digits(Split(train_x, train_y), Split(val_x, val_y), Split(test_x, test_y))


def model_of(config: dict[str, Any]) -> MLPClassifier:
    """Return an untrained network."""
    return MLPClassifier(
        hidden_layer_sizes=(config["hidden"],),
        activation=config["activation"],
        learning_rate_init=config["lr"],
        alpha=config["alpha"],
        batch_size=config["batch_size"],
        random_state=0,
    )


def train(config: dict[str, Any], digits: Digits | None = None) -> None:
    """Train epoch by epoch; report the accuracy on the validation part, with the model as a checkpoint."""
    digits = digits or load()
    model, epoch = model_of(config), 0
    checkpoint = tune.get_checkpoint()
    if checkpoint is not None:
        with checkpoint.as_directory() as saved:
            model, epoch = pickle.loads((Path(saved) / MODEL).read_bytes())  # noqa: S301 (we wrote it)
    with tempfile.TemporaryDirectory() as directory:
        while epoch < EPOCHS:
            epoch += 1
            model.partial_fit(*digits.train, classes=np.arange(10))
            (Path(directory) / MODEL).write_bytes(pickle.dumps((model, epoch)))
            tune.report(
                {"accuracy": float(model.score(*digits.validation)), "loss": float(model.loss_), "epoch": epoch},
                checkpoint=tune.Checkpoint.from_directory(directory),
            )


def test_accuracy(model: MLPClassifier, digits: Digits) -> float:
    """Return the accuracy of *model* on the part that was held out."""
    return float(model.score(*digits.test))


def with_defaults(digits: Digits) -> MLPClassifier:
    """Return a network trained as long as a trial may be, with the library's own hyperparameters."""
    model = model_of(DEFAULTS)
    for _ in range(EPOCHS):
        model.partial_fit(*digits.train, classes=np.arange(10))
    return model
