"""scikit-learn: a search that is an estimator, in which bad candidates end early."""

from __future__ import annotations

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from luthier import tune
from luthier.tune.integration.sklearn import TuneSearchCV

if __name__ == "__main__":
    x, y = load_digits(return_X_y=True)
    seen, unseen, digits, answers = train_test_split(x, y, random_state=0)
    search = TuneSearchCV(
        make_pipeline(MinMaxScaler(), SGDClassifier(random_state=0)),
        {
            "sgdclassifier__alpha": tune.loguniform(1e-6, 1),
            "sgdclassifier__penalty": ["l1", "l2", "elasticnet"],
        },
        early_stopping=True,
        max_iters=9,
        n_trials=12,
        cv=3,
        random_state=1,
    )
    search.fit(seen, digits)
    print("rounds of each candidate:", sorted(search.cv_results_["training_iteration"].tolist()))
    print("best parameters:", search.best_params_)
    print(f"accuracy on digits never seen: {search.score(unseen, answers):.3f}")
