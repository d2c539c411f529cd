"""Experiments of a Tuner on a server: all that is in the log is there, whenever the server was away."""

from __future__ import annotations

import logging

import httpx
import pytest

from luthier import tune
from luthier.tune.integration.server import LuthierServerCallback
from tests.server.live import listening


def train(config):
    for step in range(4):
        if config["x"] == 2 and step == 2:
            raise ValueError("two is too many")
        tune.report({"loss": config["x"] / (step + 1), "note": "so far"})


def fit(path, callback, name="digits"):
    return tune.Tuner(
        train,
        param_space={"x": tune.grid_search([1, 2, 3])},
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=tune.RunConfig(
            name=name, storage_path=str(path), callbacks=[callback], verbose=0, executor="inline"
        ),
    ).fit()


@pytest.fixture
def files(tmp_path):
    return f"sqlite:///{tmp_path}/server.db", tmp_path / "files"


def runs_of(url, experiment):
    return httpx.get(f"{url}/api/v1/sweeps/{experiment}/runs").json()["rows"]


def test_an_experiment_stands_on_the_server_as_it_was(tmp_path, files):
    with listening(*files) as url:
        results = fit(tmp_path / "results", LuthierServerCallback(url, project="p"))
        (found,) = httpx.get(f"{url}/api/v1/sweeps?project=p").json()
        assert (found["kind"], found["name"], found["state"], found["runs"]) == ("experiment", "digits", "FINISHED", 3)
        assert found["best_value"] == results.get_best_result().metrics["loss"] == 0.25
        rows = {row["number"]: row for row in runs_of(url, found["id"])}
        assert [rows[n]["state"] for n in range(3)] == ["finished", "failed", "finished"]
        assert "two is too many" in rows[1]["error"]
        told = httpx.get(f"{url}/api/v1/runs/{rows[0]['id']}/history?keys=loss").json()
        assert "0.3333" in str(told)


def test_a_server_that_is_away_costs_nothing_and_gets_all_when_the_experiment_is_restored(tmp_path, files, caplog):
    with listening(*files) as url:
        pass
    callback = LuthierServerCallback(url, patience_s=2.0)
    with caplog.at_level(logging.WARNING, "luthier"):
        results = fit(tmp_path / "results", callback)
    assert len(results) == 3 and results.num_errors == 1
    assert sum("does not answer" in record.message for record in caplog.records) == 1
    port = int(url.rpartition(":")[2])
    with listening(files[0], files[1], port) as again:
        tuner = tune.Tuner.restore(str(tmp_path / "results" / "digits"), trainable=train)
        tuner.fit()
        (found,) = httpx.get(f"{again}/api/v1/sweeps").json()
        assert found["runs"] == 3 and found["state"] == "FINISHED"


def test_a_restored_experiment_goes_on_where_it_was_sent_and_nothing_comes_twice(tmp_path, files):
    with listening(*files) as url:
        fit(tmp_path / "results", LuthierServerCallback(url))
        (before,) = httpx.get(f"{url}/api/v1/sweeps").json()
        tune.Tuner.restore(str(tmp_path / "results" / "digits"), trainable=train, restart_errored=True).fit()
        (after,) = httpx.get(f"{url}/api/v1/sweeps").json()
        assert after["id"] == before["id"] and after["length"] > before["length"]
        assert sorted(row["attempt"] for row in runs_of(url, after["id"])) == [1, 1, 2]


def test_the_key_is_written_nowhere(tmp_path, files):
    with listening(*files) as url:
        fit(tmp_path / "results", LuthierServerCallback(url, key="luthier_verysecretkey"))
    written = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert written and not [path for path in written if b"verysecretkey" in path.read_bytes()]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"lines": ["no log"]}, "lines"),
        ({"lines": [], "state": "HAPPY"}, "FINISHED"),
    ],
)
def test_what_is_no_log_is_refused(files, body, says):
    with listening(*files) as url:
        made = httpx.post(f"{url}/api/v1/experiments", json={"name": "a"}).json()["experiment"]
        reply = httpx.post(f"{url}/api/v1/experiments/{made}/records", json=body)
        assert reply.status_code == 422 and says in reply.json()["detail"]
        assert httpx.post(f"{url}/api/v1/experiments/nothere/records", json={"lines": []}).status_code == 404
        assert httpx.patch(f"{url}/api/v1/sweeps/{made}", json={"state": "PAUSED"}).status_code == 422
        assert httpx.delete(f"{url}/api/v1/sweeps/{made}").status_code == 204
