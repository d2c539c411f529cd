"""XGBoost and LightGBM on real data: what their callbacks report, save, and go on from."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.integration.lightgbm import TuneReportCallback as LightGBMReports
from luthier.tune.integration.lightgbm import TuneReportCheckpointCallback as LightGBMCallback
from luthier.tune.integration.xgboost import TuneReportCallback as XGBoostReports
from luthier.tune.integration.xgboost import TuneReportCheckpointCallback as XGBoostCallback

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:300], Y[:300]
PLAIN = {"nthread": 1, "max_depth": 2, "objective": "binary:logistic"}
SMALL = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbose": -1, "metric": "binary_logloss"}


def fit(train, tmp_path, **how):
    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline", **how)
    grid = tune.Tuner(train, param_space={"rate": 0.5}, run_config=run).fit()
    return grid[0]


def with_xgboost(callback, rounds=5, *, evals=True, resumed=None):
    data = xgboost.DMatrix(X[:200], Y[:200])
    judged = [(xgboost.DMatrix(X[200:], Y[200:]), "eval")] if evals else []
    return xgboost.train(PLAIN, data, rounds, evals=judged, verbose_eval=False, callbacks=[callback], xgb_model=resumed)


def with_lightgbm(callback, rounds=5, *, resumed=None, also=()):
    data = lightgbm.Dataset(X[:200], Y[:200], params={"verbose": -1})
    judged = lightgbm.Dataset(X[200:], Y[200:], reference=data)
    return lightgbm.train(SMALL, data, rounds, valid_sets=[judged], callbacks=[callback, *also], init_model=resumed)


def saved_rounds(result, rounds_of):
    found = [rounds_of(checkpoint) for checkpoint, _ in result.best_checkpoints]
    return sorted(found)


@pytest.mark.parametrize(
    ("frequency", "at_end", "reports", "saved"),
    [(0, True, 6, [5]), (0, False, 5, []), (2, True, 6, [2, 4, 5]), (2, False, 5, [2, 4]), (5, True, 5, [5])],
)
def test_xgboost_saves_when_it_is_to(tmp_path, frequency, at_end, reports, saved):
    def train(config):
        with_xgboost(XGBoostCallback({"loss": "eval-logloss"}, frequency=frequency, checkpoint_at_end=at_end))

    result = fit(train, tmp_path)
    assert result.error is None
    assert result.metrics["training_iteration"] == reports
    assert saved_rounds(result, lambda c: XGBoostCallback.get_model(c).num_boosted_rounds()) == saved
    if saved:
        model = XGBoostCallback.get_model(result.checkpoint)
        told = model.predict(xgboost.DMatrix(X[200:]))
        loss = -np.log(np.where(Y[200:] == 1, told, 1 - told)).mean()
        if saved[-1] == 5:
            assert loss == pytest.approx(result.metrics["loss"], rel=1e-5)


def test_xgboost_names_its_metrics_and_others_may_change_them(tmp_path):
    def train(config):
        with_xgboost(
            XGBoostCallback(results_postprocessing_fn=lambda found: found | {"twice": 2 * found["eval-logloss"]})
        )

    metrics = fit(train, tmp_path).metrics
    assert metrics["twice"] == 2 * metrics["eval-logloss"]


def test_xgboost_cross_validates(tmp_path):
    def train(config):
        xgboost.cv(PLAIN, xgboost.DMatrix(X, Y), 3, nfold=3, callbacks=[XGBoostCallback(frequency=1)])

    result = fit(train, tmp_path)
    assert result.metrics["training_iteration"] == 3
    assert result.metrics["test-logloss-std"] > 0
    assert result.checkpoint is None  # of several models, none is the one


def test_xgboost_goes_on_from_a_checkpoint(tmp_path):
    def train(config):
        checkpoint = tune.get_checkpoint()
        resumed = checkpoint and XGBoostCallback.get_model(checkpoint)
        done = resumed.num_boosted_rounds() if resumed else 0
        callback = XGBoostCallback("eval-logloss", frequency=1, checkpoint_at_end=False)
        with_xgboost(callback, 3 if not done else 5 - done, resumed=resumed)
        if not done:
            raise RuntimeError("the machine died")

    result = fit(train, tmp_path, failure_config=tune.FailureConfig(max_failures=1))
    assert result.error is None
    assert XGBoostCallback.get_model(result.checkpoint).num_boosted_rounds() == 5
    assert result.metrics["training_iteration"] == 5


@pytest.mark.parametrize("callback", [XGBoostCallback, LightGBMCallback])
def test_a_metric_that_the_training_has_not(tmp_path, callback):
    def train(config):
        (with_xgboost if callback is XGBoostCallback else with_lightgbm)(callback("auc"))

    error = fit(train, tmp_path).error
    assert isinstance(error, BadArgument)
    assert "no such metric" in str(error)
    assert "logloss" in str(error)


@pytest.mark.parametrize(
    ("frequency", "at_end", "saved"), [(0, True, [5]), (0, False, []), (2, True, [2, 4, 5]), (2, False, [2, 4])]
)
def test_lightgbm_saves_when_it_is_to(tmp_path, frequency, at_end, saved):
    def train(config):
        callback = LightGBMCallback({"loss": "valid_0-binary_logloss"}, frequency=frequency, checkpoint_at_end=at_end)
        with_lightgbm(callback)

    result = fit(train, tmp_path)
    assert result.error is None
    assert result.metrics["training_iteration"] == 5
    assert saved_rounds(result, lambda c: LightGBMCallback.get_model(c).num_trees()) == saved
    if saved and saved[-1] == 5:
        told = np.asarray(LightGBMCallback.get_model(result.checkpoint).predict(X[200:]))
        loss = -np.log(np.where(Y[200:] == 1, told, 1 - told)).mean()
        assert loss == pytest.approx(result.metrics["loss"], rel=1e-5)


def test_lightgbm_cross_validates(tmp_path):
    def train(config):
        data = lightgbm.Dataset(X, Y, params={"verbose": -1})
        lightgbm.cv(SMALL, data, 3, nfold=3, callbacks=[LightGBMCallback(frequency=1)])

    result = fit(train, tmp_path)
    assert result.error is None
    assert result.metrics["training_iteration"] == 3
    assert result.metrics["valid-binary_logloss-stdv"] > 0
    assert result.checkpoint is None


def test_lightgbm_goes_on_from_a_checkpoint(tmp_path):
    def train(config):
        checkpoint = tune.get_checkpoint()
        resumed = checkpoint and LightGBMCallback.get_model(checkpoint)
        done = resumed.num_trees() if resumed else 0
        with_lightgbm(LightGBMCallback(frequency=1), 3 if not done else 5 - done, resumed=resumed)
        if not done:
            raise RuntimeError("the machine died")

    result = fit(train, tmp_path, failure_config=tune.FailureConfig(max_failures=1))
    assert result.error is None
    assert LightGBMCallback.get_model(result.checkpoint).num_trees() == 5
    assert result.metrics["training_iteration"] == 5


def test_lightgbm_reports_the_round_that_ends_early(tmp_path):
    def train(config):
        with_lightgbm(LightGBMCallback(frequency=1), 80, also=[lightgbm.early_stopping(1, verbose=False)])

    result = fit(train, tmp_path)
    assert result.error is None
    assert result.checkpoint is not None
    assert LightGBMCallback.get_model(result.checkpoint).num_trees() == result.metrics["training_iteration"]


def test_a_model_of_another_name(tmp_path):
    def train(config):
        with_xgboost(XGBoostCallback(filename="trees.json"))

    checkpoint = fit(train, tmp_path).checkpoint
    assert XGBoostCallback.get_model(checkpoint, "trees.json").num_boosted_rounds() == 5
    with pytest.raises(BadArgument, match=r"filename='model.ubj' cannot be used.*give one of \['trees.json'\]"):
        XGBoostCallback.get_model(checkpoint)
    with pytest.raises(BadArgument, match="filename"):
        XGBoostCallback(filename="../model.ubj")
    with pytest.raises(BadArgument, match="saved none"):
        XGBoostCallback.get_model(None)


def test_in_processes_of_their_own_asha_stops_them(tmp_path):
    def train(config):
        params = PLAIN | {"eta": config["eta"]}
        data, judged = xgboost.DMatrix(X[:200], Y[:200]), xgboost.DMatrix(X[200:], Y[200:])
        callback = XGBoostCallback({"loss": "eval-logloss"}, frequency=4)
        xgboost.train(params, data, 16, evals=[(judged, "eval")], verbose_eval=False, callbacks=[callback])

    grid = tune.Tuner(
        train,
        param_space={"eta": tune.grid_search([0.5, 0.3, 1e-3, 1e-4, 1e-5, 1e-6])},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            max_concurrent_trials=1,
            scheduler=tune.schedulers.ASHAScheduler(max_t=17, grace_period=2, reduction_factor=2),
        ),
        run_config=tune.RunConfig(storage_path=tmp_path, verbose=0),
    ).fit()
    assert not grid.errors
    lengths = [result.metrics["training_iteration"] for result in grid]
    assert lengths[0] >= 16
    assert min(lengths) < 16


@pytest.mark.filterwarnings("ignore:TuneReportCallback:DeprecationWarning")
@pytest.mark.parametrize(
    ("learn", "callback", "name"),
    [(with_xgboost, XGBoostReports, "eval-logloss"), (with_lightgbm, LightGBMReports, "valid_0-binary_logloss")],
)
def test_the_older_names_report_only(tmp_path, learn, callback, name):
    result = fit(lambda config: learn(callback({"loss": name}, lambda told: {**told, "own": 1})) and None, tmp_path)
    assert (result.metrics["training_iteration"], result.metrics["own"], result.checkpoint) == (5, 1, None)
