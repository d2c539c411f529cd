"""The program that a sweep runs: a small network on handwritten digits, epoch by epoch."""

from __future__ import annotations

import warnings

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import luthier

warnings.filterwarnings("ignore", category=ConvergenceWarning)
run = luthier.init(config={"lr": 0.01, "width": 32, "alpha": 1e-4, "epochs": 20})  # the sweep's values go before these
images, labels = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(images / 16.0, labels, test_size=0.3, random_state=0, stratify=labels)
model = MLPClassifier(
    hidden_layer_sizes=(run.config["width"],),
    learning_rate_init=run.config["lr"],
    alpha=run.config["alpha"],
    random_state=0,
)
for epoch in range(run.config["epochs"]):
    model.partial_fit(x, y, classes=range(10))
    luthier.log({"accuracy": model.score(x_test, y_test), "loss": model.loss_, "epoch": epoch + 1})
print(f"width {run.config['width']}: accuracy {model.score(x_test, y_test):.3f}")
