"""Trials that grow while they run, with local processes and a real model; schedulers of users' own beside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.errors import BadArgument, PolicyError
from luthier.tune.past import events_of
from luthier.tune.schedulers import ASHAScheduler, FIFOScheduler, ResourceChangingScheduler, create_scheduler
from luthier.tune.schedulers.resource_changing_scheduler import DistributeResources, DistributeResourcesToTopJob


def train(config: dict[str, Any]) -> None:
    """Train a small network on the digits, epoch by epoch, on as many threads as the trial holds."""
    import pickle

    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    X, y = load_digits(return_X_y=True)
    model, start = MLPClassifier((8,), learning_rate_init=config["lr"], random_state=0), 0
    restored = tune.get_checkpoint()
    if restored is not None:
        model, start = pickle.loads(Path(restored.path, "model").read_bytes())
    for epoch in range(start, config["epochs"]):
        model.partial_fit(X[:400] / 16, y[:400], classes=list(range(10)))
        held = tune.get_context().get_trial_resources()
        with tune.Checkpoint.from_dict({}).as_directory() as folder:
            Path(folder, "model").write_bytes(pickle.dumps((model, epoch + 1)))
            metrics = {"loss": float(model.loss_), "epoch": epoch + 1, "cpus": held.required_resources["CPU"]}
            tune.report(metrics, checkpoint=tune.Checkpoint(folder))
        if held.required_resources["CPU"] >= config.get("until", 99):
            return
        time.sleep(0.05)


class Counting(tune.Trainable):
    """Saves only on its way out."""

    def setup(self, config):
        self.count = 0

    def step(self):
        self.count += 1
        time.sleep(0.05)
        assert self.trial_resources is not None
        done = self.count >= self.config["epochs"] or self.trial_resources["cpu"] >= self.config.get("until", 99)
        return {"epoch": self.count, "loss": 1 / self.count, "cpus": self.trial_resources["cpu"], "done": done}

    def save_checkpoint(self, checkpoint_dir):
        return {"count": self.count}

    def load_checkpoint(self, checkpoint):
        self.count = checkpoint["count"]


def fit(tmp_path, trainable, scheduler, space, *, executor="process", reuse=False, cpus=3, samples=1):
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", scheduler=scheduler, reuse_actors=reuse, num_samples=samples
        ),
        run_config=tune.RunConfig(
            name="e", storage_path=tmp_path, verbose=0, executor=executor, resources={"cpu": cpus}
        ),
    ).fit()  # fmt: skip


@pytest.mark.parametrize("trainable", [train, Counting])
@pytest.mark.parametrize("reuse", [False, True])
def test_trials_grow_when_others_end(tmp_path, trainable, reuse):
    space = {"lr": 0.01, "epochs": tune.grid_search([2, 2, 400]), "until": 3}  # the long one ends once it holds all
    grid = fit(tmp_path, trainable, ResourceChangingScheduler(), space, reuse=reuse)
    assert grid.num_errors == 0
    [long] = [r for r in grid if r.config["epochs"] == 400]
    table = long.metrics_dataframe
    assert list(table["epoch"]) == list(range(1, len(table) + 1))  # no epoch is lost, none done twice
    cpus = list(table["cpus"])
    assert cpus[0] == 1 and cpus[-1] == 3 and cpus == sorted(cpus)
    resized = [e for e in events_of(grid.experiment_path) if isinstance(e, ev.Halted) and e.resources]
    assert resized and all(e.reason.startswith("gets ") and "cpu" in e.why["new"] for e in resized)


def test_under_asha_with_a_function_of_ones_own(tmp_path):
    asked = []

    def allocate(tune_controller, trial, result, scheduler):
        asked.append((trial.trial_id, result["epoch"], scheduler.base_trial_resources.required_resources))
        cpus = tune_controller._resource_updater.get_num_cpus() // len(tune_controller.get_live_trials())
        return tune.PlacementGroupFactory([{"CPU": max(1, cpus), "GPU": 0}])

    base = ASHAScheduler(max_t=6, reduction_factor=2)
    space = {"lr": tune.grid_search([0.01, 1e-6, 1e-7]), "epochs": 6}
    grid = fit(tmp_path, train, ResourceChangingScheduler(base, allocate), space, executor="inline", cpus=2)
    best = grid.get_best_result()
    assert best.config["lr"] == 0.01 and list(best.metrics_dataframe["epoch"]) == list(range(1, 7))
    assert asked and asked[0][2] == {"CPU": 1.0}
    assert best.metrics["cpus"] == 2


def test_the_best_gets_it_all(tmp_path):
    top = DistributeResourcesToTopJob()
    space = {"lr": 0.01, "epochs": tune.grid_search([2, 400]), "until": 4}
    grid = fit(tmp_path, Counting, ResourceChangingScheduler(resources_allocation_function=top), space, cpus=4)
    assert grid.num_errors == 0
    [long] = [r for r in grid if r.config["epochs"] == 400]
    assert long.metrics["cpus"] == 4 and set(long.metrics_dataframe["cpus"]) <= {1, 3, 4}


class Threshold(FIFOScheduler):
    """Stops whoever has not come below *most* after three epochs."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def on_trial_result(self, tune_controller, trial, result):
        late = result["training_iteration"] >= 3 and result["loss"] > self.most
        return self.STOP if late else self.CONTINUE


def test_a_scheduler_of_ones_own_with_processes_and_growing(tmp_path):
    space = {"lr": tune.grid_search([0.01, 1e-7]), "epochs": 6}
    grid = fit(tmp_path, train, ResourceChangingScheduler(Threshold(2.35)), space, cpus=2)
    ends = {r.config["lr"]: r.metrics["epoch"] for r in grid}
    assert ends == {0.01: 6, 1e-7: 3}
    [ended] = [e for e in events_of(grid.experiment_path) if isinstance(e, ev.Ended) and e.reason]
    assert ended.reason == "Threshold.on_trial_result asked to stop it"


def test_it_goes_on_after_an_error_of_the_users(tmp_path):
    mended = tmp_path / "mended"

    class Breaks(Threshold):
        def on_trial_result(self, tune_controller, trial, result):
            if not mended.exists() and result["training_iteration"] == 2:
                raise ZeroDivisionError("the user's own")
            return super().on_trial_result(tune_controller, trial, result)

    space = {"lr": 0.01, "epochs": 3}
    with pytest.raises(PolicyError, match="Breaks raised ZeroDivisionError on Reported: the user's own") as raised:
        fit(tmp_path, Counting, Breaks(9), space, executor="inline")
    assert "in Breaks.on_trial_result, about trial" in raised.value.__cause__.__notes__[0]
    mended.touch()
    grid = tune.Tuner.restore(str(tmp_path / "e"), Counting).fit()
    assert [r.metrics["epoch"] for r in grid] == [3]


def test_bad_arguments_are_refused_before_anything_runs(tmp_path):
    for arguments, words in (
        ({"increase_by": {"CPU": 0}}, "increase_by=.*CPU or GPU"),
        ({"increase_by": {"cpu": 1}}, "amounts of CPU and GPU only"),
        ({"increase_by": {"CPU": -1}}, r"increase_by\['CPU'\]=-1"),
        ({"increase_by": 2}, "increase_by=2"),
        ({"increase_by_times": 1.5}, "increase_by_times=1.5"),
        ({"reserve_resources": {"CPU": float("nan")}}, r"reserve_resources\['CPU'\]=nan"),
        ({"add_bundles": "yes"}, "add_bundles='yes'"),
    ):
        with pytest.raises(BadArgument, match=words):
            DistributeResources(**arguments)
    with pytest.raises(BadArgument, match="mode='best'"):
        DistributeResourcesToTopJob(mode="best")
    with pytest.raises(BadArgument, match="base_scheduler='asha'"):
        ResourceChangingScheduler("asha")  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="resources_allocation_function=3"):
        ResourceChangingScheduler(resources_allocation_function=3)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="no trial's resources will change"):
        ResourceChangingScheduler(resources_allocation_function=None)
    top = ResourceChangingScheduler(resources_allocation_function=DistributeResourcesToTopJob())
    with pytest.raises(BadArgument, match="DistributeResourcesToTopJob must know the best trial"):
        top.policy(None)
    assert isinstance(create_scheduler("resource_changing"), ResourceChangingScheduler)

    class Overrides(DistributeResources):
        def _modify_bundles_with_free_resources(self):
            raise AssertionError

    with pytest.raises(BadArgument, match="Overrides overrides _modify_bundles_with_free_resources"):
        Overrides()


def test_what_no_machine_has_is_an_error(tmp_path):
    scheduler = ResourceChangingScheduler(resources_allocation_function=lambda *_: {"cpu": 99})
    with pytest.raises(PolicyError, match="at most what a worker has: 3 cpu"):
        fit(tmp_path, Counting, scheduler, {"epochs": 3}, executor="inline")
