"""Searches with scikit-learn's interface: as its own, and with what they add."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.stats
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.integration.sklearn import TuneGridSearchCV, TuneSearchCV
from luthier.tune.integration.sklearn.cv_results import ranks
from luthier.tune.integration.sklearn.parameters import space_of
from luthier.tune.integration.sklearn.stopping import scheduler_of

X, Y = load_breast_cancer(return_X_y=True)
X, Y = StandardScaler().fit_transform(X)[:200], Y[:200]
NUMBERS, TARGETS = load_diabetes(return_X_y=True)


def search(estimator=None, space=None, **how: Any):
    arguments: dict[str, Any] = {"cv": 3, "n_trials": 5, "random_state": 1, "executor": "inline"}
    return TuneSearchCV(estimator or Ridge(), space or {"alpha": tune.loguniform(1e-3, 1e3)}, **(arguments | how))


def grid(estimator=None, space=None, **how: Any):
    arguments: dict[str, Any] = {"cv": 3, "executor": "inline"}
    return TuneGridSearchCV(estimator or Ridge(), space or {"alpha": [0.1, 1.0, 10.0]}, **(arguments | how))


@pytest.mark.parametrize(
    "how", [{}, {"return_train_score": True}, {"scoring": ["r2", "neg_mean_absolute_error"], "refit": "r2"}]
)
def test_a_grid_finds_what_scikit_learns_own_finds(how):
    space = {"alpha": [0.1, 1.0, 10.0], "fit_intercept": [True, False]}
    ours = grid(space=space, **how).fit(NUMBERS, TARGETS)
    theirs = GridSearchCV(Ridge(), space, cv=3, **how).fit(NUMBERS, TARGETS)
    assert ours.cv_results_.keys() == theirs.cv_results_.keys()
    for name in theirs.cv_results_:
        order = [ours.cv_results_["params"].index(params) for params in theirs.cv_results_["params"]]
        if "time" not in name and not name.startswith("param"):
            np.testing.assert_allclose(
                np.asarray(ours.cv_results_[name])[order], theirs.cv_results_[name], err_msg=name
            )
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == pytest.approx(theirs.best_score_)
    np.testing.assert_allclose(ours.predict(NUMBERS), theirs.predict(NUMBERS))
    assert ours.score(NUMBERS, TARGETS) == pytest.approx(theirs.score(NUMBERS, TARGETS))
    assert list(ours.cv_results_["param_alpha"]) == [params["alpha"] for params in ours.cv_results_["params"]]


def test_a_search_is_repeatable_and_its_results_are_an_experiments(tmp_path):
    first, second = (search(storage_path=tmp_path, name=name).fit(NUMBERS, TARGETS) for name in "ab")
    assert first.cv_results_["params"] == second.cv_results_["params"]
    assert len({params["alpha"] for params in first.cv_results_["params"]}) == 5
    assert len(first.result_grid_) == 5
    assert (tmp_path / "a").is_dir()
    again = pickle.loads(pickle.dumps(first))
    np.testing.assert_allclose(again.predict(NUMBERS), first.predict(NUMBERS))
    assert [result.config for result in again.result_grid_] == first.cv_results_["params"]
    assert first.best_score_ == max(first.cv_results_["mean_test_score"])


@pytest.mark.parametrize("name", ["tpe", "bayesian", "auto"])
def test_model_based_searches(name):
    found = search(search_optimization=name, n_trials=12).fit(NUMBERS, TARGETS)
    assert len(found.cv_results_["params"]) == 12
    assert found.best_score_ > 0.45


def test_bad_candidates_end_early():
    model = make_pipeline(StandardScaler(), SGDClassifier(random_state=0, learning_rate="constant"))
    space = {"sgdclassifier__eta0": [0.1, 1e-7, 1e-8, 1e-9]}
    scheduler = tune.schedulers.ASHAScheduler(max_t=8, grace_period=1, reduction_factor=2)
    found = grid(model, space, early_stopping=scheduler, max_iters=8, n_jobs=1).fit(X, Y)
    rounds = found.cv_results_["training_iteration"]
    assert rounds[0] == 8
    assert rounds.min() == 1
    assert found.best_params_ == {"sgdclassifier__eta0": 0.1}
    assert found.best_estimator_[-1].t_ == 8 * len(X) + 1  # as many passes over all samples as the best trial had
    assert found.score(X, Y) > 0.9


@pytest.mark.parametrize("stopping", [True, "asha"])
def test_early_stopping_by_default_and_by_name(stopping):
    model = SGDClassifier(random_state=0)
    found = search(model, {"alpha": tune.loguniform(1e-5, 1)}, early_stopping=stopping, max_iters=3).fit(X, Y)
    assert set(found.cv_results_["training_iteration"]) <= {1, 2, 3}
    assert found.score(X, Y) > 0.8


@pytest.mark.parametrize(
    ("stopping", "bohb", "made"),
    [
        (True, False, "AsyncHyperBandScheduler"),
        (True, True, "HyperBandForBOHB"),
        ("asha", True, "AsyncHyperBandScheduler"),
        ("ASHAScheduler", False, "AsyncHyperBandScheduler"),
        ("HyperBandScheduler", False, "HyperBandScheduler"),
        ("MedianStoppingRule", False, "MedianStoppingRule"),
    ],
)
def test_schedulers_are_known_by_the_names_of_their_classes_too(stopping, bohb, made):
    found = scheduler_of(stopping, 7, bohb=bohb)
    assert type(found).__name__ == made
    if made != "MedianStoppingRule":
        assert found.max_t == 7


def test_bohb_searches_with_its_own_hyperband(caplog):
    space = {"alpha": (1e-5, 1.0, "log-uniform")}
    how: dict[str, Any] = {"search_optimization": "bohb", "early_stopping": True, "max_iters": 3, "n_trials": 3}
    found = search(SGDClassifier(random_state=0), space, **how).fit(X, Y)
    assert "is made for HyperBandForBOHB" not in caplog.text
    assert all(1e-5 < each["alpha"] < 1 for each in found.cv_results_["params"])


def test_without_targets_in_rounds():
    found = search(
        MiniBatchKMeans(random_state=0), {"n_clusters": tune.randint(2, 6)}, early_stopping=True, max_iters=2
    )
    assert found.fit(X).predict(X).shape == (200,)


def test_it_is_cloned_and_stands_in_a_pipeline_and_in_a_cross_validation():
    base = search(
        make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, n_trials=2
    )
    assert clone(base).get_params()["n_trials"] == 2
    assert is_classifier(base) and is_regressor(search())
    piped = make_pipeline(StandardScaler(), base).fit(X, Y)
    assert piped.predict_proba(X).shape == (200, 2)
    assert list(piped.classes_) == [0, 1]
    assert cross_val_score(base, X, Y, cv=2).min() > 0.8
    assert piped.set_params(tunesearchcv__estimator__logisticregression__tol=0.5)[-1].estimator[-1].tol == 0.5


def test_methods_are_those_of_the_estimator():
    found = search(LinearSVC(), {"C": [1.0]}, n_trials=1)
    assert hasattr(found, "decision_function") and not hasattr(found, "predict_proba")
    with pytest.raises(NotFittedError):
        found.predict(X)
    assert found.fit(X, Y).decision_function(X).shape == (200,)
    with pytest.raises(AttributeError, match="refit=True"):
        search(refit=False).fit(NUMBERS, TARGETS).predict(NUMBERS)


def test_in_processes_with_groups_weights_and_an_own_choice():
    weights = np.linspace(0, 1, 200)
    found = search(
        SGDClassifier(random_state=0), {"alpha": [1e-3, 1e-2]}, n_trials=2, cv=GroupKFold(2), executor=None, n_jobs=2,
        refit=lambda results: 0,
    )  # fmt: skip
    found.fit(X, Y, groups=np.arange(200) // 50, sample_weight=weights)
    assert found.best_index_ == 0
    assert found.n_splits_ == 2


class Fails(Ridge):  # type: ignore[misc]
    def fit(self, X, y, sample_weight=None):  # noqa: N803
        if self.alpha > 1:
            raise RuntimeError("too large")
        return super().fit(X, y, sample_weight)


@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore::sklearn.exceptions.FitFailedWarning")
def test_candidates_that_fail():
    found = grid(Fails()).fit(NUMBERS, TARGETS)
    assert np.isnan(found.cv_results_["mean_test_score"]).tolist() == [False, False, True]
    assert found.cv_results_["rank_test_score"][2] == 3
    with pytest.raises(Exception, match="too large"):
        grid(Fails(), error_score="raise").fit(NUMBERS, TARGETS)
    with pytest.raises(Exception, match="too large"):
        grid(Fails(), {"alpha": [10.0, 20.0]}).fit(NUMBERS, TARGETS)


@pytest.mark.parametrize("piped", [False, True])
def test_weights_are_split_in_rounds_too(piped):
    # they were not: each fold failed, and all that was left of the search was NaN
    weights = np.linspace(0, 1, 200) ** 4
    model = SGDClassifier(random_state=0)
    estimator, before = (make_pipeline(FunctionTransformer(), model), "sgdclassifier__") if piped else (model, "")
    found = TuneGridSearchCV(
        estimator, {f"{before}alpha": [1e-2]}, early_stopping="fifo", max_iters=2, cv=KFold(2), executor="inline"
    )
    found.fit(X, Y, **{f"{before}sample_weight": weights})
    for fold, (train, test) in enumerate(KFold(2).split(X)):
        own = SGDClassifier(random_state=0, alpha=1e-2)
        for _ in range(2):
            own.partial_fit(X[train], Y[train], np.unique(Y), weights[train])
        assert found.cv_results_[f"split{fold}_test_score"] == [own.score(X[test], Y[test])]


class Silent(SGDRegressor):  # type: ignore[misc]
    def partial_fit(self, X, y, sample_weight=None):  # noqa: N803
        if self.alpha == 2:
            raise RuntimeError("cannot learn")
        return super().partial_fit(X, y, sample_weight)

    def score(self, X, y, sample_weight=None):  # noqa: N803
        if self.alpha == 1:
            raise RuntimeError("cannot be judged")
        return super().score(X, y, sample_weight)


@pytest.mark.filterwarnings("ignore:scoring failed", "ignore:a fold failed", "ignore::UserWarning")
def test_what_fails_in_rounds_has_the_error_score():
    rounds: dict[str, Any] = {"early_stopping": "fifo", "max_iters": 2, "cv": 2, "executor": "inline", "refit": False}
    found = TuneGridSearchCV(Silent(), {"alpha": [0.1, 1, 2]}, error_score=-1e9, **rounds).fit(NUMBERS, TARGETS)
    assert (found.cv_results_["mean_test_score"][1:] == -1e9).all() and found.best_index_ == 0
    for alpha, why in ((1, "be judged"), (2, "learn")):
        with pytest.raises(Exception, match=f"cannot {why}"):
            TuneGridSearchCV(Silent(), {"alpha": [alpha]}, error_score="raise", **rounds).fit(NUMBERS, TARGETS)
    with pytest.raises(RuntimeError, match="cannot learn"):  # all of them
        TuneGridSearchCV(Silent(), {"alpha": [2]}, **rounds).fit(NUMBERS, TARGETS)


def test_numbers_and_generators_of_numpy_are_arguments():
    def best(seed):
        return search(n_trials=np.int64(2), n_jobs=np.int64(1), random_state=seed).fit(NUMBERS, TARGETS).best_params_

    assert (
        best(np.random.RandomState(5))
        == best(np.random.RandomState(5))
        == best(int(np.random.RandomState(5).randint(1 << 31)))
    )


def test_ranks():
    assert ranks(np.array([0.5, np.nan, 0.9, 0.5])).tolist() == [2, 4, 1, 2]


def test_distributions():
    space = space_of(
        {
            "a": scipy.stats.uniform(1, 2),
            "b": scipy.stats.loguniform(1e-3, 1e1),
            "c": scipy.stats.randint(2, 5),
            "d": np.array([1, 2]),
            "e": (None, "x"),
        }
    )
    assert (space["a"].lower, space["a"].upper) == (1, 3)
    assert (space["b"].lower, space["b"].upper) == (pytest.approx(1e-3), pytest.approx(10))
    assert (space["c"].lower, space["c"].upper) == (2, 5)
    assert [type(value) for value in space["d"].categories] == [int, int]
    assert space["e"].categories == [None, "x"]


def test_ranges():
    ranges = {"a": (1e-3, 1, "log-uniform"), "b": (1, 9, "uniform"), "c": (0.5, 2.5), "d": (1, 2, 3), "e": ("x", "y")}
    space = space_of(ranges, pairs=True)
    assert [(type(space[name]).__name__, space[name].lower, space[name].upper) for name in "abc"] == [
        ("Float", 1e-3, 1), ("Integer", 1, 10), ("Float", 0.5, 2.5),
    ]  # fmt: skip
    assert {space["a"].sample(random_state=i) < 0.1 for i in range(20)} == {True, False}
    assert [space[name].categories for name in "de"] == [[1, 2, 3], ["x", "y"]]
    assert space_of(ranges)["c"].categories == [0.5, 2.5]  # of a random search: two values, as scikit-learn has it


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"space": {"alpha": scipy.stats.norm(0, 1)}}, "param_distributions.'alpha'."),
        ({"space": {"alpha": []}}, "param_distributions"),
        ({"space": {"alpha": "abc"}}, "param_distributions"),
        ({"space": {"beta": [1]}}, "param_distributions"),
        ({"space": [1]}, "param_distributions"),
        ({"early_stopping": True}, "partial_fit"),
        ({"estimator": SGDRegressor(), "early_stopping": True, "max_iters": 1}, "max_iters"),
        ({"scoring": ["r2", "neg_mean_absolute_error"]}, "refit"),
        ({"scoring": ["r2", "neg_mean_absolute_error"], "refit": "mse"}, "refit"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"search_optimization": "nope"}, "search_optimization='nope'.*bayesian.*random"),
        ({"estimator": SGDRegressor(), "early_stopping": "Nope"}, "early_stopping='Nope'.*asha"),
        ({"space": {"alpha": (1, 0.1, "uniform")}}, "param_distributions.'alpha'."),
        ({"space": {"alpha": (0, 1, "log-uniform")}}, "param_distributions.'alpha'."),
        ({"n_trials": 0}, "n_trials"),
        ({"n_trials": -1}, "time_budget_s"),  # it would never end
        ({"n_trials": 1.5}, "n_trials"),
        ({"error_score": "none"}, "error_score"),
        ({"random_state": "x"}, "random_state"),
        ({"scoring": [], "refit": False}, "scoring"),
        ({"refit": lambda results: 99}, "refit"),
    ],
)
def test_bad_arguments_are_named_before_anything_runs(how, named):
    with pytest.raises(BadArgument, match=named):
        search(**how).fit(NUMBERS, TARGETS)


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks():
    space = {"alpha": [0.1]}
    failed = {
        done["check_name"]: done["exception"]
        for done in check_estimator(
            TuneGridSearchCV(Ridge(), space, cv=KFold(2), executor="inline"), on_fail=None, on_skip=None
        )
        if done["status"] == "failed"
    }
    assert not failed
