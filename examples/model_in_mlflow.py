"""MLflow: the best checkpoint of an experiment as a model, which is loaded back and predicts the same."""

from __future__ import annotations

import os
import tempfile

import joblib
import mlflow
import numpy as np
from mlflow.pyfunc.model import PythonModel
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

from luthier import tune


def load():
    x, y = load_digits(return_X_y=True)
    return train_test_split(x / 16, y, random_state=0)


def train(config):
    seen, unseen, digits, answers = load()
    model = SGDClassifier(loss="log_loss", alpha=config["alpha"], random_state=0)
    for _ in range(3):
        model.partial_fit(seen, digits, classes=range(10))
        with tempfile.TemporaryDirectory() as folder:
            joblib.dump(model, os.path.join(folder, "model.joblib"))
            checkpoint = tune.Checkpoint.from_directory(folder)
            tune.report({"accuracy": model.score(unseen, answers)}, checkpoint=checkpoint)


class Reader(PythonModel):
    """Reads digits, by what is in a checkpoint: whatever the trial has put there."""

    def load_context(self, context):
        self.model = joblib.load(os.path.join(context.artifacts["checkpoint"], "model.joblib"))

    def predict(self, context, model_input, params=None):
        return self.model.predict(model_input)


if __name__ == "__main__":
    results = tune.Tuner(
        train,
        param_space={"alpha": tune.grid_search([1.0, 1e-2, 1e-4])},
        tune_config=tune.TuneConfig(metric="accuracy", mode="max"),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    best = results.get_best_result()
    checkpoint, metrics = max(best.best_checkpoints, key=lambda kept: kept[1]["accuracy"])
    _, unseen, _, answers = load()

    mlflow.set_tracking_uri(f"sqlite:///{results.experiment_path}/mlflow.db")
    mlflow.create_experiment("digits", artifact_location=f"file://{results.experiment_path}/mlflow")
    mlflow.set_experiment("digits")
    with mlflow.start_run(run_name="best"), checkpoint.as_directory() as folder:
        mlflow.log_params(best.config)
        mlflow.log_metric("accuracy", metrics["accuracy"])
        logged = mlflow.pyfunc.log_model(
            name="reader",
            python_model=Reader(),
            artifacts={"checkpoint": folder},
            input_example=unseen[:2],
            pip_requirements=["scikit-learn"],
        )
    digits = mlflow.pyfunc.load_model(logged.model_uri).predict(unseen)
    with checkpoint.as_directory() as folder:
        same = np.array_equal(digits, joblib.load(os.path.join(folder, "model.joblib")).predict(unseen))
    print(f"as the checkpoint itself: {same}; accuracy {np.mean(digits == answers):.3f}")
