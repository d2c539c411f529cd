"""Real models on data that scikit-learn brings along, small enough for thousands of them to be trained.

Each loss is that on rows which the model was not trained with; all of its own chance is fixed.  No minimum is known:
regret is what is above the best that anybody found.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from luthier.core.space import Categorical, Float, Integer

if TYPE_CHECKING:
    from luthier.core.terms import Config

    Split = tuple[Any, Any, Any, Any]

SVM: dict[str, Any] = {
    "C": Float(1e-3, 1e3, log=True),
    "weighted": Categorical([False, True]),
    "kernel": Categorical(
        [
            "linear",
            {"name": "rbf", "gamma": Float(1e-5, 1.0, log=True)},
            {
                "name": "poly",
                "gamma": Float(1e-4, 1.0, log=True),
                "degree": Integer(2, 4),
                "coef0": Float(0.0, 2.0),
            },
        ]
    ),
}
TREES: dict[str, Any] = {
    "learning_rate": Float(0.01, 1.0, log=True),
    "n_estimators": Integer(4, 48, log=True),
    "max_depth": Integer(1, 6),
    "min_samples_leaf": Integer(1, 64, log=True),
    "subsample": Float(0.3, 1.0),
    "max_features": Float(0.1, 1.0),
    "loss": Categorical(["squared_error", "absolute_error", {"name": "huber", "alpha": Float(0.5, 0.99)}]),
}
NETWORK: dict[str, Any] = {
    "width": Integer(4, 48, log=True),
    "alpha": Float(1e-6, 10.0, log=True),
    "batch_size": Categorical([16, 32, 64]),
    "activation": Categorical(["relu", "tanh", "logistic"]),
    "solver": Categorical(
        [
            {"name": "adam", "lr": Float(1e-4, 1e-1, log=True), "beta_1": Float(0.5, 0.99)},
            {"name": "sgd", "lr": Float(1e-4, 1.0, log=True), "momentum": Float(0.0, 0.99)},
        ]
    ),
}


def svm(config: Config) -> float:
    """Return the mean logistic loss of the margins of a support vector machine, on breast_cancer: two folds."""
    import numpy as np
    from sklearn.svm import SVC

    train_x, test_x, train_y, test_y = _split("breast_cancer", 285)
    kernel = config["kernel"]
    own = {"kernel": kernel} if isinstance(kernel, str) else {**kernel, "kernel": kernel["name"]}
    own.pop("name", None)
    weights = "balanced" if config["weighted"] else None
    losses = []
    for x, y, held_x, held_y in ((train_x, train_y, test_x, test_y), (test_x, test_y, train_x, train_y)):
        model = SVC(C=config["C"], class_weight=weights, max_iter=2000, **own)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it did not converge
            model.fit(x, y)
        margins = model.decision_function(held_x) * (2 * held_y - 1)
        losses.append(float(np.logaddexp(0, -margins).mean()))
    return sum(losses) / 2


def trees(config: Config) -> float:
    """Return the root mean squared error of boosted trees, on diabetes."""
    import numpy as np
    from sklearn.ensemble import GradientBoostingRegressor

    train_x, test_x, train_y, test_y = _split("diabetes", 250)
    loss = config["loss"]
    own = {"loss": loss} if isinstance(loss, str) else {"loss": loss["name"], "alpha": loss["alpha"]}
    rest = {name: value for name, value in config.items() if name != "loss"}
    model = GradientBoostingRegressor(random_state=0, **rest, **own).fit(train_x, train_y)
    return float(np.sqrt(((model.predict(test_x) - test_y) ** 2).mean()))


def network(config: Config) -> float:
    """Return the mean cross-entropy of a network of one layer after six epochs, on digits."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    train_x, test_x, train_y, test_y = _split("digits", 400)
    how = config["solver"]
    own = {"beta_1": how["beta_1"]} if how["name"] == "adam" else {"momentum": how["momentum"]}
    model = MLPClassifier(
        (config["width"],), activation=config["activation"], solver=how["name"], alpha=config["alpha"],
        batch_size=config["batch_size"], learning_rate_init=how["lr"], max_iter=6, random_state=0, **own,
    )  # fmt: skip
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # that it did not converge
        try:
            model.fit(train_x, train_y)
        except ValueError:  # it diverged
            return 10.0
        chance = model.predict_proba(test_x[:400])[np.arange(400), test_y[:400]]
    return float(np.nan_to_num(-np.log(np.clip(chance, 1e-4, 1)).mean(), nan=10.0))


@cache
def _split(name: str, train: int) -> Split:
    """Return rows for training and others, and what is to be said of them; all columns scaled."""
    import numpy as np
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], y[order]
    spread = x[:train].std(axis=0)
    x = (x - x[:train].mean(axis=0)) / np.where(spread > 0, spread, 1)
    return x[:train], x[train:], y[:train], y[train:]
