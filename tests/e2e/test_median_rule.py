"""The median rule on a real model, in processes of their own: a network that reads digits."""

from __future__ import annotations

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.tune.past import events_of
from luthier.tune.schedulers import MedianStoppingRule

EPOCHS = 6


class Digits(tune.Trainable):
    """One epoch of a small network a step; some learning rates are hopeless."""

    def setup(self, config):
        from sklearn.datasets import load_digits
        from sklearn.neural_network import MLPClassifier

        x, y = load_digits(return_X_y=True)
        self.x, self.y = x / 16, y
        self.model = MLPClassifier((16,), learning_rate_init=config["lr"], random_state=0)

    def step(self):
        self.model.partial_fit(self.x[:600], self.y[:600], classes=range(10))
        return {"accuracy": self.model.score(self.x[600:900], self.y[600:900])}

    def save_checkpoint(self, checkpoint_dir):
        import pickle
        from pathlib import Path

        Path(checkpoint_dir, "model.pkl").write_bytes(pickle.dumps(self.model))

    def load_checkpoint(self, checkpoint_dir):
        import pickle
        from pathlib import Path

        self.model = pickle.loads(Path(checkpoint_dir, "model.pkl").read_bytes())


@pytest.mark.parametrize(("time_attr", "hard_stop"), [("training_iteration", True), ("time_total_s", False)])
def test_it_spares_what_is_hopeless(tmp_path, time_attr, hard_stop):
    rates = [3e-2, 1e-2, 3e-3, 1e-6, 1e-7, 1e-8, 2e-2]
    grace = 2 if time_attr == "training_iteration" else 1e-4  # of seconds: all that is reported counts
    grid = tune.Tuner(
        Digits,
        param_space={"lr": tune.grid_search(rates)},
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            scheduler=MedianStoppingRule(time_attr, grace_period=grace, min_samples_required=2, hard_stop=hard_stop),
        ),
        run_config=tune.RunConfig(
            storage_path=tmp_path, verbose=0, stop={"training_iteration": EPOCHS}, resources={"cpu": 2.0}
        ),
    ).fit()
    assert not grid.errors and len(grid) == len(rates)
    judged = [e for e in events_of(grid.experiment_path) if isinstance(e, ev.Halted) and e.why and "cutoff" in e.why]
    judged = [e for e in judged if "median" in e.reason]
    assert judged and all(e.why["time_attr"] == time_attr and e.why["value"] < e.why["cutoff"] for e in judged)
    assert grid.get_best_result().config["lr"] >= 3e-3
    steps = {result.config["lr"]: result.metrics["training_iteration"] for result in grid}
    if hard_stop:
        assert min(steps[rate] for rate in (1e-6, 1e-7, 1e-8)) < EPOCHS
    else:  # those that were put off went on from where they were
        assert set(steps.values()) == {EPOCHS}
