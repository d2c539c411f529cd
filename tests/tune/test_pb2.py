"""PB2 from end to end: local processes, real checkpoints, a real model."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.schedulers import PB2, create_scheduler
from luthier.tune.schedulers.pb2 import PB2 as AT_RAYS_PATH

TIME = "training_iteration"


def digits(config):
    """A linear classifier of handwritten digits, one pass over the pictures per step; it goes on where it was."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    model, passes = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=config["lr"], random_state=0), 0
    if (checkpoint := tune.get_checkpoint()) is not None:
        with checkpoint.as_directory() as folder:
            model, passes = pickle.loads(Path(folder, "model.pickle").read_bytes())
        model.set_params(eta0=config["lr"], alpha=config["alpha"])
    while True:
        order = np.random.default_rng(passes).permutation(1300)
        model.partial_fit(X[order], y[order], classes=np.arange(10))
        passes += 1
        saved = tune.Checkpoint.from_dict({})
        Path(saved.path, "model.pickle").write_bytes(pickle.dumps((model, passes)))
        tune.report(
            {"accuracy": model.score(X[1300:], y[1300:]), "passes": passes, "lr": config["lr"]}, checkpoint=saved
        )


def fitted(tmp_path, scheduler, name="e", steps=10, **more):
    return tune.Tuner(
        tune.with_resources(digits, {"cpu": 0.25}),
        param_space={"lr": tune.loguniform(1e-4, 1e-1), "alpha": 1e-4},
        tune_config=tune.TuneConfig(metric="accuracy", mode="max", num_samples=4, scheduler=scheduler, seed=3),
        run_config=tune.RunConfig(storage_path=tmp_path, name=name, verbose=0, stop={TIME: steps}, **more),
    ).fit()


def pb2(**arguments):
    bounds = {"lr": tune.loguniform(1e-4, 1e-1), "alpha": [1e-6, 1e-2]}
    return PB2(**{"time_attr": TIME, "perturbation_interval": 2, "hyperparam_bounds": bounds, **arguments})


@pytest.mark.parametrize("synch", [False, True])
def test_a_population_trains_a_model(tmp_path, synch):
    results = fitted(tmp_path, pb2(synch=synch))
    assert results.num_errors == 0
    assert [r.metrics["passes"] for r in results] == [r.metrics[TIME] for r in results] == [10] * 4
    assert min(r.metrics["accuracy"] for r in results) > 0.8  # the worst went on from the best
    lines = [json.loads(line) for line in Path(results.experiment_path, "pbt_global.txt").read_text().splitlines()]
    chosen = [new for *_, old, new in lines if new["alpha"] != old["alpha"]]
    assert chosen and all(1e-4 <= c["lr"] <= 1e-1 and 1e-6 <= c["alpha"] <= 1e-2 for c in chosen)


def test_what_param_space_lacks_is_drawn_between_the_bounds():
    scheduler = PB2(hyperparam_bounds={"lr": [0.1, 0.2], "net": {"dropout": [0, 1]}, "seed": [3, 3]})
    space = scheduler.furnished({"net": {"depth": 2}})
    assert space["lr"].lower == 0.1 and space["net"]["dropout"].upper == 1.0 and space["net"]["depth"] == 2
    assert list(space["seed"].options) == [3.0]


def test_it_has_rays_name_arguments_and_defaults():
    assert AT_RAYS_PATH is PB2 and isinstance(create_scheduler("pb2", hyperparam_bounds={"lr": [0, 1]}), PB2)
    made = PB2(hyperparam_bounds={"lr": [0, 1]})
    assert (made.time_attr, made.perturbation_interval, made.quantile_fraction) == ("time_total_s", 60.0, 0.25)
    assert (made.log_config, made.require_attrs, made.synch, made.custom_explore_fn) == (True, True, False, None)
    positional = PB2("epoch", "loss", "min", 5, {"lr": [0, 1]}, 0.5, False, False, True, dict)
    assert (positional.time_attr, positional.hyperparam_bounds, positional.quantile_fraction) == (
        "epoch",
        {"lr": [0, 1]},
        0.5,
    )
    assert (positional.log_config, positional.require_attrs, positional.synch) == (False, False, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "hyperparam_bounds"),
        ({"hyperparam_bounds": {}}, "hyperparam_bounds"),
        ({"hyperparam_bounds": {"lr": [1, 0]}}, "lr"),
        ({"hyperparam_bounds": {"lr": tune.choice([1, 2])}}, "lr"),
        ({"hyperparam_bounds": {"lr": [0, 1]}, "quantile_fraction": 0.6}, "quantile_fraction"),
        ({"hyperparam_bounds": {"lr": [0, 1]}, "perturbation_interval": 0}, "perturbation_interval"),
        ({"hyperparam_bounds": {"lr": [0, 1]}, "custom_explore_fn": 3}, "custom_explore_fn"),
        ({"hyperparam_bounds": {"lr": [0, 1]}, "mode": "best"}, "mode"),
    ],
)
def test_bad_arguments_are_refused_before_any_trial(arguments, said):
    with pytest.raises(BadArgument, match=said):
        PB2(**arguments)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"lr": tune.choice(["a", "b"])}, r"param_space\['lr'\]=.*'a' is none"),
        ({"lr": tune.grid_search([1, None])}, r"param_space\['lr'\]=.*None is none"),
        ({"lr": "small"}, r"param_space\['lr'\]='small'"),
        ({"lr": True}, r"param_space\['lr'\]=True"),
        ({"lr": 1, "net": {"width": tune.choice(["wide"])}}, r"param_space\['net'\]\['width'\]="),
    ],
)
def test_what_is_no_number_is_refused_before_any_trial(space, said, tmp_path):
    scheduler = PB2(hyperparam_bounds={"lr": [0, 1], "net": {"width": [1, 9]}})
    with pytest.raises(BadArgument, match=said):
        tune.Tuner(
            lambda config: None,
            param_space=space,
            tune_config=tune.TuneConfig(metric="loss", mode="min", scheduler=scheduler),
            run_config=tune.RunConfig(storage_path=tmp_path, verbose=0),
        ).fit()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "lr",
    [tune.choice([1, 0.5]), tune.choice(range(3)), tune.sample_from(lambda: 1), tune.uniform(0, 1), 1, np.int64(1)],
)
def test_what_may_be_a_number_is_not_refused(lr):
    assert PB2(hyperparam_bounds={"lr": [0, 1]}).furnished({"lr": lr})["lr"] is lr
