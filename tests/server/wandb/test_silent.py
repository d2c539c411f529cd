"""Runs by themselves that were not heard of for long, and go on."""

from __future__ import annotations

import json
import time

import pytest
from fastapi.testclient import TestClient

from luthier.server.app import create_app
from luthier.server.wandb.plain import Watch
from tests.server.wandb.test_protocol import Client


@pytest.fixture
def app(database_url, tmp_path):
    return create_app(database_url, files=tmp_path / "files")


@pytest.fixture
def client(app):
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield Client(found)


def upsert(client, writer=None, **more):
    """Say what the client says: the process names itself in all that it says but the first."""
    own = {"cli_version": "0.31.0", **({"e": {writer: {"host": "h"}}} if writer else {})}
    config = {name: {"value": value} for name, value in more.items()} | {"_wandb": {"value": own}}
    return client.ask("UpsertBucket", name="r", project="p", config=json.dumps(config))


def begun(client):
    upsert(client)
    upsert(client, "one", a=1)
    client.rows("r", 1.0, 2.0)


def state(client):
    found = client.run("r")
    return found["state"], found["attempt"], found["rows"], found["config"]


def test_a_run_that_was_taken_for_dead_goes_on_where_it_was(app, client):
    """A machine that slept, a link that was cut: the first that comes may be a change of the config, or rows."""
    for first in ("config", "rows"):
        begun(client)
        watch = Watch(app.state.service, 0.0)
        watch(time.time() + 1.0)
        assert state(client)[0] == "crashed"
        before = state(client)
        if first == "config":
            upsert(client, "one", a=1, b=2)
            assert state(client) == ("running", before[1], 2, {"a": 1, "b": 2})
        client.rows("r", 3.0, first=2)
        assert state(client)[:3] == ("running", before[1], 3)
        assert client.run("r")["reason"] == ""
        client.rows("r", first=3, complete=True, exitcode=0)


def test_what_comes_late_begins_nothing_anew(client):
    """A change of the config whose answer was lost is said again, perhaps after the end."""
    begun(client)
    client.rows("r", complete=True, exitcode=0, first=2)
    upsert(client, "one", a=1, late=True)
    assert state(client) == ("finished", 1, 2, {"a": 1, "late": True})


def test_another_process_of_that_name_begins_anew_or_goes_on_as_it_says(client):
    begun(client)
    client.rows("r", complete=True, exitcode=0, first=2)
    upsert(client)
    assert state(client)[:3] == ("running", 2, 0)
    upsert(client, "two")
    client.rows("r", 5.0, complete=True, exitcode=1)
    told = client.ask("RunResumeStatus", name="r", project="p")["model"]["bucket"]
    assert told["historyLineCount"] == 1
    upsert(client, "two")  # what it was told is in what it says
    assert state(client)[:3] == ("running", 2, 1)
