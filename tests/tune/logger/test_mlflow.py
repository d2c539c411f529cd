"""Runs at MLflow, on a SQLite store of its own, read back with MLflow's client."""

from __future__ import annotations

import logging
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from luthier import tune
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError
from luthier.tune.logger import clerk
from luthier.tune.logger.mlflow import MLflowLoggerCallback, setup_mlflow
from luthier.tune.logger.mlflow_contact import alone, contact
from luthier.tune.logger.tracked import Reading, Tracked
from luthier.tune.schedulers import PopulationBasedTraining

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """An empty store: making the tables takes seconds."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path.read_bytes()


@pytest.fixture
def uri(template, tmp_path, monkeypatch):
    (tmp_path / "mlflow.db").write_bytes(template)
    monkeypatch.chdir(tmp_path)  # artifacts lie beside
    for name in ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return f"sqlite:///{tmp_path}/mlflow.db"


def runs(uri, experiment="e"):
    """Return the parent's run and those in it, in the order of their names."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    parents = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    (parent,) = parents
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == len(found) - 1
    return client, parent, sorted(children, key=lambda run: run.data.tags["luthier.trial"])


def history(client, run, metric):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, metric)]


def run_config(path, callback, **more):
    return tune.RunConfig(name="e", storage_path=str(path), executor="inline", verbose=0, callbacks=[callback], **more)


def test_metrics_parameters_tags_and_statuses(tmp_path, uri):
    def train(config):
        for i in range(3):
            tune.report({"loss": {"train": config["lr"] * i}, "np": np.float32(i), "inf": math.inf, "a@b": 1, "t": "x"})
        if config["lr"] > 0.15:
            raise ValueError("too fast")

    callback = MLflowLoggerCallback(uri, tags={"team": "red", "n": 3})
    space = {"lr": tune.grid_search([0.1, 0.2]), "net": {"layers": [3, 4]}, "note": "x" * 7000}
    grid = tune.Tuner(train, param_space=space, run_config=run_config(tmp_path, callback)).fit()
    client, parent, children = runs(uri)
    assert (parent.info.run_name, parent.info.status) == ("e", "FINISHED")
    assert parent.data.tags["team"] == "red" and parent.data.tags["luthier.path"] == grid.experiment_path
    assert [run.info.status for run in children] == ["FINISHED", "FAILED"]
    for run, lr in zip(children, [0.1, 0.2], strict=True):
        assert run.data.params == {"lr": str(lr), "net/layers": "[3, 4]", "note": "x" * 6000}
        assert run.data.tags["team"] == "red" and run.data.tags["n"] == "3"
        assert run.data.tags["trial_name"] == run.info.run_name
        assert history(client, run, "loss/train") == [(i + 1, pytest.approx(lr * i)) for i in range(3)]
        assert history(client, run, "np") == [(1, 0.0), (2, 1.0), (3, 2.0)]
        assert run.data.metrics["inf"] > 1e308 and run.data.metrics["a_b"] == 1
        assert run.data.metrics["training_iteration"] == 3
        assert not {"t", "pid", "timestamp", "done", "config/lr"} & run.data.metrics.keys()
        assert abs(run.info.end_time - time.time() * 1000) < 60_000


def test_checkpoints_and_files_become_artifacts(tmp_path, uri):
    def train(config):
        for i in range(2):
            os.makedirs("state", exist_ok=True)
            with open("state/weights", "w") as file:
                file.write(f"{i}")
            tune.report({"loss": i}, checkpoint=tune.Checkpoint("state"))

    callback = MLflowLoggerCallback(uri, experiment_name="other", save_artifact=True, log_params_on_trial_end=True)
    config = run_config(tmp_path, callback, checkpoint_config=tune.CheckpointConfig(num_to_keep=1))
    tune.Tuner(train, param_space={"lr": 0.1}, run_config=config).fit()
    client, _, (run,) = runs(uri, "other")
    assert run.data.params == {"lr": "0.1"}
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"checkpoint_000001", "result.json", "params.json", "progress.csv"} <= names
    assert "checkpoint_000000" not in names
    path = client.download_artifacts(run.info.run_id, "checkpoint_000001/weights", str(tmp_path))
    with open(path) as file:
        assert file.read() == "1"
    with open(client.download_artifacts(run.info.run_id, "result.json", str(tmp_path))) as file:
        assert len(file.readlines()) == 2  # it was written before it was stored


def test_changed_parameters_are_seen(tmp_path, uri):
    class Climber(tune.Trainable):
        def setup(self, config):
            self.height = 0.0

        def step(self):
            self.height += self.config["lr"]
            return {"height": self.height}

        def save_checkpoint(self, directory):
            return {"height": self.height}

        def load_checkpoint(self, checkpoint):
            self.height = checkpoint["height"]

    scheduler = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=2, hyperparam_mutations={"lr": tune.uniform(0, 1)}
    )
    config = tune.TuneConfig(metric="height", mode="max", num_samples=4, scheduler=scheduler, seed=3)
    run = run_config(tmp_path, MLflowLoggerCallback(uri), stop={"training_iteration": 6})
    grid = tune.Tuner(Climber, param_space={"lr": tune.uniform(0, 1)}, tune_config=config, run_config=run).fit()
    client, _, children = runs(uri)
    changed = [run for run in children if "config/lr" in run.data.tags]
    assert changed and {run.info.status for run in children} == {"FINISHED"}
    by_id = {result.metrics["trial_id"]: result for result in grid}
    for run in children:
        result = by_id[run.data.tags["luthier.trial"]]
        now = run.data.tags.get("config/lr", run.data.params["lr"])
        assert float(now) == result.config["lr"]
        assert len(history(client, run, "height")) == len(result.metrics_dataframe)  # nothing that went back is lost


def test_a_restored_experiment_goes_on_with_the_same_runs(tmp_path, uri):
    def train(config):
        checkpoint = tune.get_checkpoint()
        begin = 1 if checkpoint is None else 3
        for step in range(begin, 5):
            if step == 3 and config["lr"] == 0.2 and not (tmp_path / "mended").exists():
                raise ValueError("not yet")
            os.makedirs("state", exist_ok=True)
            tune.report({"loss": step}, checkpoint=tune.Checkpoint("state") if step == 2 else None)

    space = {"lr": tune.grid_search([0.1, 0.2])}
    tune.Tuner(train, param_space=space, run_config=run_config(tmp_path, MLflowLoggerCallback(uri))).fit()
    _, parent, before = runs(uri)
    assert [run.info.status for run in before] == ["FINISHED", "FAILED"]
    (tmp_path / "mended").touch()
    tune.Tuner.restore(str(tmp_path / "e"), train, resume_errored=True).fit()
    client, again, after = runs(uri)
    assert again.info.run_id == parent.info.run_id
    assert [run.info.run_id for run in after] == [run.info.run_id for run in before]
    assert [run.info.status for run in after] == ["FINISHED", "FINISHED"]
    assert history(client, after[1], "loss") == [(step, float(step)) for step in range(1, 5)]


def test_an_interrupt_leaves_no_run_running(tmp_path, uri):
    script = textwrap.dedent(f"""
        import os, signal, time
        from luthier import tune
        from luthier.tune.logger.mlflow import MLflowLoggerCallback
        def train(config):
            for i in range(10_000):
                time.sleep(0.02)
                tune.report({{"loss": i}})
                if i == 3:
                    os.kill(os.getpid(), signal.SIGINT)
        run = tune.RunConfig(name="e", storage_path={str(tmp_path)!r}, executor="inline", verbose=0,
                             callbacks=[MLflowLoggerCallback({uri!r})])
        tune.Tuner(train, run_config=run).fit()
    """)
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    _, parent, (run,) = runs(uri)
    assert (parent.info.status, run.info.status) == ("KILLED", "KILLED"), done.stderr
    assert run.data.metrics["loss"] >= 3


def test_a_killed_driver_leaves_runs_that_the_next_one_ends(tmp_path, uri):
    script = textwrap.dedent(f"""
        import os, signal, time
        from luthier import tune
        from luthier.tune.logger.mlflow import MLflowLoggerCallback
        def train(config):
            for i in range(4):
                tune.report({{"loss": i}})
            if config["lr"] == 0.2 and not os.path.exists("mended"):
                from mlflow import MlflowClient
                client = MlflowClient({uri!r})
                for _ in range(600):  # until MLflow has heard of all that
                    place = client.get_experiment_by_name("e")
                    runs = client.search_runs([place.experiment_id]) if place else []
                    if sum(run.data.metrics.get("loss") == 3 for run in runs) == 2:
                        break
                    time.sleep(0.1)
                os.kill(os.getpid(), signal.SIGKILL)
        if __name__ == "__main__":
            run = tune.RunConfig(name="e", storage_path={str(tmp_path)!r}, executor="inline", verbose=0,
                                 callbacks=[MLflowLoggerCallback({uri!r})])
            tune.Tuner(train, param_space={{"lr": tune.grid_search([0.1, 0.2])}}, run_config=run).fit()
    """)
    (tmp_path / "killed.py").write_text(script)
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run([sys.executable, "killed.py"], capture_output=True, check=False, env=environment)
    assert done.returncode == -signal.SIGKILL
    _, parent, before = runs(uri)
    assert [run.info.status for run in [parent, before[-1]]] == ["RUNNING", "RUNNING"]
    (tmp_path / "mended").touch()

    def train(config):
        for i in range(4):
            tune.report({"loss": i})

    grid = tune.Tuner.restore(str(tmp_path / "e"), train).fit()
    assert not grid.errors
    _, parent, after = runs(uri)
    assert {run.info.status for run in [parent, *after]} == {"FINISHED"}
    assert [run.info.run_id for run in after] == [run.info.run_id for run in before]


def test_a_server_that_is_away_is_told_once_and_holds_nothing_up(tmp_path, uri, caplog, monkeypatch):
    import mlflow  # before anybody waits for it

    assert mlflow.__version__
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(clerk, "_SHORT", 1.0)

    def train(config):
        for i in range(50):
            tune.report({"loss": i})

    with caplog.at_level(logging.WARNING, "luthier"):
        run = run_config(tmp_path, MLflowLoggerCallback("http://127.0.0.1:9"))
        grid = tune.Tuner(train, param_space={"lr": tune.grid_search([1, 2])}, run_config=run).fit()
    assert not grid.errors and [result.metrics["loss"] for result in grid] == [49, 49]
    told = [record.message for record in caplog.records if record.message.startswith("MLflowLoggerCallback: Mlflow")]
    assert len(told) == 1 and "127.0.0.1" in told[0]


def test_what_happens_during_an_outage_is_told_after_it(tmp_path, uri, caplog, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    away = {"search_runs": 2, "log_batch": 3, "set_terminated": 1}

    def unreliable(name):
        real = getattr(MlflowClient, name)

        def called(*arguments, **named):
            if away[name] > 0:
                away[name] -= 1
                raise MlflowException("the server is away")
            return real(*arguments, **named)

        return called

    monkeypatch.setattr(clerk, "_PAUSES", (0.01,))
    with monkeypatch.context() as patched:
        for name in away:
            patched.setattr(MlflowClient, name, unreliable(name))

        def train(config):
            for i in range(3):
                tune.report({"loss": i})

        with caplog.at_level(logging.WARNING, "luthier"):
            space = {"lr": tune.grid_search([1, 2])}
            tune.Tuner(train, param_space=space, run_config=run_config(tmp_path, MLflowLoggerCallback(uri))).fit()
    assert set(away.values()) == {0}
    client, parent, children = runs(uri)
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"} and len(children) == 2
    for run in children:
        assert history(client, run, "loss") == [(1, 0.0), (2, 1.0), (3, 2.0)] and "lr" in run.data.params
    assert len([record for record in caplog.records if "the server is away" in record.message]) == 1


def test_what_a_database_cannot_say_is_said_as_text(tmp_path, uri):
    # a text that is no UTF-8 was taken for a database that is away: nothing was told any more
    callback = MLflowLoggerCallback(uri, tags={"t\udc80": "\udc80\0"})
    space = {"path": "a\udc80", "nul": "a\0b", "huge": 10**400, "array": np.zeros(2), "n\0\udc80": 1}
    grid = tune.Tuner(lambda config: {"loss": 1}, param_space=space, run_config=run_config(tmp_path, callback)).fit()
    assert not grid.errors
    client, parent, (run,) = runs(uri)
    assert history(client, run, "loss") == [(1, 1.0)]
    assert (parent.info.status, run.info.status) == ("FINISHED", "FINISHED")
    assert run.data.params["path"] == "a\\udc80" and run.data.params["nul"] == "a\\0b"
    assert run.data.params["array"] == "[0. 0.]" and run.data.params["n__"] == "1"
    assert run.data.tags["t_"] == "\\udc80\\0"


def test_a_note_that_is_always_refused_holds_no_other_up(tmp_path, uri, caplog, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    real = MlflowClient.log_batch

    def choosy(self, run_id, metrics=(), params=(), tags=()):
        if any(param.key == "bad" for param in params):
            raise MlflowException("not this one")  # as an error of the server's own
        return real(self, run_id, metrics, params, tags)

    monkeypatch.setattr(clerk, "_PAUSES", (0.01,))
    monkeypatch.setattr(MlflowClient, "log_batch", choosy)

    def train(config):
        if config["x"] == 2:
            raise ValueError("as planned")
        return {"loss": config["x"]}

    space = {"x": tune.grid_search([1, 2]), "bad": 1}
    with caplog.at_level(logging.WARNING, "luthier"):
        tune.Tuner(train, param_space=space, run_config=run_config(tmp_path, MLflowLoggerCallback(uri))).fit()
    client, parent, children = runs(uri)
    assert [run.info.status for run in children] == ["FINISHED", "FAILED"] and parent.info.status == "FINISHED"
    assert history(client, children[0], "loss") == [(1, 1.0)]
    assert [record for record in caplog.records if "not this one" in record.message]


def test_a_run_that_somebody_deletes_hinders_no_other(tmp_path, uri):
    callback = MLflowLoggerCallback(uri)
    one, two = (Tracked(f"ab_{i}", f"f_{i}", "e", str(tmp_path), str(tmp_path), {"x": i}) for i in range(2))
    callback._client = callback._runs = None
    callback._held, callback._finished, callback._refused = {}, {}, 0
    for trial in (one, two):
        callback.begin(trial, known=False)
        callback.result(trial, Reading(1, 1.0, {"loss": 1}))
    client, _, (first, _) = runs(uri)
    client.delete_run(first.info.run_id)
    with pytest.raises(Exception, match="deleted"):
        callback.left([one, two])
    client, parent, (run,) = runs(uri)
    assert (parent.info.status, run.info.status, history(client, run, "loss")) == ("KILLED", "KILLED", [(1, 1.0)])


def test_an_experiment_that_was_deleted_is_named(tmp_path, uri, caplog, monkeypatch):
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    client.delete_experiment(client.create_experiment("e"))
    with pytest.raises(BadArgument, match="deleted at MLflow; give another, or bring it back: mlflow experiments"):
        setup_mlflow({}, tracking_uri=uri, experiment_name="e")
    monkeypatch.setattr(clerk, "_SHORT", 0.1)
    with caplog.at_level(logging.WARNING, "luthier"):
        run = run_config(tmp_path, MLflowLoggerCallback(uri))
        assert not tune.Tuner(lambda config: {"loss": 1}, run_config=run).fit().errors
    assert "experiment_name='e'" in caplog.text and "restore" in caplog.text


def test_the_token_is_not_written_down(tmp_path, uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "")  # what is set is taken back
    callback = MLflowLoggerCallback(uri, tracking_token="t0psecret")
    assert b"t0psecret" not in pickle.dumps(callback)
    tune.Tuner(lambda config: {"loss": 1}, run_config=run_config(tmp_path, callback)).fit()
    assert os.environ["MLFLOW_TRACKING_TOKEN"] == "t0psecret"
    for folder, _, names in os.walk(tmp_path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                assert b"t0psecret" not in file.read(), name


def test_a_run_of_the_trials_own(tmp_path, uri):
    def train(config):
        mlflow = setup_mlflow(config, tracking_uri=uri, tags={"mine": 1})
        step = 2 if tune.get_checkpoint() else 1
        mlflow.log_metric("inside", 10.0 * step, step=step)
        os.makedirs("state", exist_ok=True)
        tune.report({"loss": 1}, checkpoint=tune.Checkpoint("state"))
        if step == 1 or config["bad"]:
            raise ValueError("once")

    run = tune.RunConfig(
        name="e",
        storage_path=str(tmp_path),
        executor="inline",
        verbose=0,
        failure_config=tune.FailureConfig(max_failures=1),
    )
    space = {"bad": tune.grid_search([False, True]), "net": {"lr": 0.1}}
    grid = tune.Tuner(train, param_space=space, run_config=run).fit()
    assert grid.num_errors == 1
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    assert {told.data.params["bad"]: told.info.status for told in found} == {"True": "FAILED", "False": "FINISHED"}
    for told in found:
        assert told.data.params["net/lr"] == "0.1" and told.data.tags["mine"] == "1"
        assert history(client, told, "inside") == [(1, 10.0), (2, 20.0)]  # one run for both attempts


def test_a_run_waits_for_a_database_that_others_make(uri, monkeypatch):
    from mlflow import MlflowClient
    from sqlalchemy.exc import OperationalError

    asked: list[int] = []
    real = MlflowClient.search_experiments

    def search(self, **named):
        asked.append(1)
        if len(asked) < 3:
            raise OperationalError("CREATE TABLE", {}, Exception("table already exists"))
        return real(self, **named)

    monkeypatch.setattr(MlflowClient, "search_experiments", search)
    contact(uri, None, (0.01, 0.01, 0.01))
    assert len(asked) == 3
    monkeypatch.setattr(MlflowClient, "search_experiments", lambda self, **named: {}["x"])
    with pytest.raises(KeyError):
        contact(uri)
    inside: list[int] = []

    def enter(number):
        with alone(uri):
            inside.append(number)
            time.sleep(0.02)
            inside.append(number)

    threads = [threading.Thread(target=enter, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside[::2] == inside[1::2] and sorted(inside[::2]) == [0, 1, 2, 3]


def test_a_run_outside_of_trials_and_an_experiment_that_is_not_there(uri, monkeypatch):
    import mlflow

    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    with pytest.raises(LuthierError, match=r"experiment_name='nowhere' cannot be used.*create_experiment"):
        setup_mlflow({}, tracking_uri=uri, experiment_name="nowhere")
    assert setup_mlflow({"x": 1}, uri, experiment_name="somewhere", create_experiment_if_not_exists=True) is mlflow
    run = mlflow.active_run()
    mlflow.end_run()
    assert mlflow.get_run(run.info.run_id).data.params == {"x": "1"}
    mlflow.set_tracking_uri("")


def test_refusals_and_paths(monkeypatch):
    from luthier.air.integrations import mlflow as air

    assert air.MLflowLoggerCallback is MLflowLoggerCallback and air.setup_mlflow is setup_mlflow
    with pytest.raises(BadArgumentType, match="tags="):
        MLflowLoggerCallback(tags=["a"])  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(LuthierError, match=r"MLflowLoggerCallback needs mlflow: pip install 'luthier\[mlflow\]'"):
        MLflowLoggerCallback()
    with pytest.raises(LuthierError, match="setup_mlflow needs mlflow"):
        setup_mlflow({})


def test_the_older_way_to_have_a_run(tmp_path, uri):
    from luthier.tune.integration.mlflow import mlflow_mixin

    @mlflow_mixin
    def train(config):
        import mlflow

        mlflow.log_metric("inside", config["lr"])
        tune.report({"loss": 1})

    @mlflow_mixin
    class Climber(tune.Trainable):
        def step(self):
            import mlflow

            mlflow.log_metric("inside", self.config["lr"])
            return {"loss": 1, "done": True}

    from mlflow import MlflowClient

    client = MlflowClient(uri)
    for trainable, lr in ((train, 0.5), (Climber, 0.25)):
        run = tune.RunConfig(name=f"e{lr}", storage_path=str(tmp_path), executor="inline", verbose=0)
        space = {"lr": lr, "mlflow": {"tracking_uri": uri, "experiment_name": "mixed"}}
        assert not tune.Tuner(trainable, param_space=space, run_config=run).fit().errors
    found = client.search_runs([client.get_experiment_by_name("mixed").experiment_id])
    assert {told.data.metrics["inside"] for told in found} == {0.5, 0.25}
    assert {told.info.status for told in found} == {"FINISHED"}
    assert {tuple(told.data.params) for told in found} == {("lr",)}
    with pytest.raises(BadArgument, match=r"config\['mlflow'\]=None"):
        train({"lr": 1})
