"""XGBoost: ASHA ends bad forests early, and the best model comes back from its checkpoint."""

from __future__ import annotations

import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from luthier import tune
from luthier.tune.integration.xgboost import TuneReportCheckpointCallback
from luthier.tune.schedulers import ASHAScheduler

ROUNDS = 40


def load():
    """Return samples to learn from and samples to judge by."""
    x, y = load_breast_cancer(return_X_y=True)
    seen, unseen, labels, answers = train_test_split(x, y, random_state=0)
    return xgboost.DMatrix(seen, labels), xgboost.DMatrix(unseen, answers)


def train(config):
    seen, unseen = load()
    checkpoint = tune.get_checkpoint()  # of an attempt before this one, if there was any
    model = TuneReportCheckpointCallback.get_model(checkpoint) if checkpoint else None
    xgboost.train(
        {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "nthread": 1, **config},
        seen,
        ROUNDS - (model.num_boosted_rounds() if model else 0),
        evals=[(unseen, "unseen")],
        verbose_eval=False,
        xgb_model=model,
        callbacks=[
            TuneReportCheckpointCallback({"loss": "unseen-logloss", "error": "unseen-error"}, frequency=10),
        ],
    )


if __name__ == "__main__":
    results = tune.Tuner(
        train,
        param_space={
            "eta": tune.loguniform(1e-3, 0.5),
            "max_depth": tune.randint(1, 7),
            "subsample": tune.uniform(0.5, 1),
        },
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            num_samples=12,
            seed=1,
            scheduler=ASHAScheduler(max_t=ROUNDS + 1, grace_period=5, reduction_factor=2),
        ),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    best = results.get_best_result()
    model = TuneReportCheckpointCallback.get_model(best.checkpoint)
    seen, unseen = load()
    error = ((model.predict(unseen) > 0.5) != unseen.get_label()).mean()
    print("rounds of each trial:", sorted(result.metrics["training_iteration"] for result in results))
    print(f"error of the best model, from its checkpoint: {error:.3f}")
