"""Ray Serve: the best model that was found answers requests; pip install 'ray[serve]'."""

from __future__ import annotations

import json
import os
import tempfile
import urllib.request

import joblib
import ray
from ray import serve
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

from luthier import tune

PORT = int(os.environ.get("PORT", "8000"))


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


class Reader:
    """Reads digits. A checkpoint is a path or a URL, that each replica opens for itself."""

    def __init__(self, checkpoint):
        with checkpoint.as_directory() as folder:
            self.model = joblib.load(os.path.join(folder, "model.joblib"))

    async def __call__(self, request):
        pixels = (await request.json())["pixels"]
        return {"digits": self.model.predict(pixels).tolist()}


if __name__ == "__main__":
    results = tune.Tuner(
        train,
        param_space={"alpha": tune.grid_search([1.0, 1e-2, 1e-4])},
        tune_config=tune.TuneConfig(metric="accuracy", mode="max"),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    checkpoint = results.get_best_result().get_best_checkpoint("accuracy", "max")

    ray.init(logging_level="ERROR", log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(serve.deployment(Reader).bind(checkpoint))  # with blocking=True, until Ctrl-C
    try:
        _, unseen, _, answers = load()
        body = json.dumps({"pixels": unseen[:100].tolist()}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{PORT}/", body), timeout=30) as answer:
            digits = json.load(answer)["digits"]
    finally:
        serve.shutdown()
        ray.shutdown()
    right = sum(digit == truth for digit, truth in zip(digits, answers[:100].tolist(), strict=True))
    print(f"of 100 digits sent by HTTP it reads {right}")
