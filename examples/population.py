"""Population based training finds a schedule: no constant learning rate does as well with the same budget.

A softmax regression of handwritten digits learns from one sample at a time, each with noise in its pixels and every
fourth with a wrong label.  A large rate learns quickly and then only jitters; a small one does not arrive in time.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from luthier import tune
from luthier.tune.schedulers import PopulationBasedTraining

ROUNDS, SAMPLES, TRIALS = 24, 150, 8


def load():
    """Return pixels from 0 to 1 with a constant beside them, and labels: 1 000 to learn from, 797 to judge by."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    pixels = np.hstack([digits.data / 16, np.ones((len(order), 1))])[order]
    labels = digits.target[order]
    return pixels[:1000], labels[:1000], pixels[1000:], labels[1000:]


class Digits(tune.Trainable):
    """One step learns from SAMPLES samples at the config's rate."""

    def setup(self, config):
        self.pixels, self.labels, self.unseen, self.answers = load()
        self.weights = np.zeros((self.pixels.shape[1], 10))
        self.seen = 0

    def step(self):
        chance = np.random.default_rng([self.config.get("seed", 0), self.seen])
        for at in chance.integers(len(self.labels), size=SAMPLES):
            x = self.pixels[at] + chance.normal(0, 0.5, self.pixels.shape[1])
            label = chance.integers(10) if chance.random() < 0.25 else self.labels[at]
            error = softmax(x @ self.weights)
            error[label] -= 1
            self.weights -= self.config["rate"] * np.outer(x, error)
        self.seen += 1
        told = softmax(self.unseen @ self.weights)
        right = told[np.arange(len(self.answers)), self.answers]
        return {"loss": -np.log(right).mean(), "accuracy": (told.argmax(1) == self.answers).mean()}

    def save_checkpoint(self, checkpoint_dir):
        return {"weights": self.weights, "seen": self.seen}

    def load_checkpoint(self, checkpoint):
        self.weights, self.seen = checkpoint["weights"].copy(), checkpoint["seen"]


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def compare(seed=0, verbose=1, **run):
    """Return the losses of the best constant rate of a grid, and of a population of the same size."""
    grid = [float(rate) for rate in np.geomspace(1e-3, 1, TRIALS)]
    losses = []
    for name, scheduler in (
        ("constant", None),
        (
            "population",
            PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                hyperparam_mutations={"rate": tune.loguniform(1e-3, 1)},
                resample_probability=0.1,
                perturbation_factors=(2.0, 0.5),
                synch=True,
            ),
        ),
    ):
        results = tune.Tuner(
            Digits,
            param_space={"rate": tune.grid_search(grid), "seed": seed},
            tune_config=tune.TuneConfig(metric="loss", mode="min", scheduler=scheduler, seed=seed),
            run_config=tune.RunConfig(
                name=f"{name}-{seed}", stop={"training_iteration": ROUNDS}, verbose=verbose, **run
            ),
        ).fit()
        losses.append(results.get_best_result(scope="last").metrics["loss"])
    return losses


if __name__ == "__main__":
    constant, population = compare()
    print(f"best constant rate: loss {constant:.4f}; population: loss {population:.4f}")
