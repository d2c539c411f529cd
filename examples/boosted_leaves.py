"""LightGBM: a model-based search over the shape of trees, on the numbers of diabetes patients."""

from __future__ import annotations

import lightgbm
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from luthier import tune
from luthier.tune.integration.lightgbm import TuneReportCheckpointCallback


def load():
    """Return features and targets: to learn from, and to judge by."""
    x, y = load_diabetes(return_X_y=True)
    return train_test_split(x, y, random_state=0)


def train(config):
    seen, unseen, targets, answers = load()
    data = lightgbm.Dataset(seen, targets, params={"verbose": -1})
    checkpoint = tune.get_checkpoint()  # of an attempt before this one, if there was any
    model = TuneReportCheckpointCallback.get_model(checkpoint) if checkpoint else None
    lightgbm.train(
        {"objective": "regression", "metric": "rmse", "num_threads": 1, "verbose": -1, **config},
        data,
        30 - (model.num_trees() if model else 0),
        valid_sets=[lightgbm.Dataset(unseen, answers, reference=data)],
        init_model=model,
        callbacks=[TuneReportCheckpointCallback({"rmse": "valid_0-rmse"}, frequency=10)],
    )


if __name__ == "__main__":
    results = tune.Tuner(
        train,
        param_space={
            "learning_rate": tune.loguniform(1e-3, 0.5),
            "num_leaves": tune.randint(2, 32),
            "min_data_in_leaf": tune.randint(2, 40),
        },
        tune_config=tune.TuneConfig(metric="rmse", mode="min", num_samples=15, search_alg="tpe", seed=1),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    best = results.get_best_result()
    seen, unseen, targets, answers = load()
    found = TuneReportCheckpointCallback.get_model(best.checkpoint).predict(unseen)
    rmse = ((found - answers) ** 2).mean() ** 0.5
    print("best config:", best.config)
    print(f"error of the best model, from its checkpoint: {rmse:.1f}, of the mean: {answers.std():.1f}")
