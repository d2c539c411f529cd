"""What is not here is refused in words: by the server at once, and as W&B's client shows it."""

from __future__ import annotations

from itertools import chain

import pytest
from fastapi.testclient import TestClient

from luthier.server.app import create_app
from tests.server.wandb.test_protocol import CONFIG, Client

OTHER = "what a sweep searches cannot be changed once it is there: make another one"
UNKNOWN = "this server does not know the operation"
NOT_HERE = {
    "Launch": ["pushToRunQueue", "createRunQueue", "createLaunchAgent"],
    "reports": ["ProjectViews", "upsertView"],
    "alerts": ["NotifyScriptableRunAlert"],
    "registries": ["FetchRegistries", "FetchOrgInfoFromEntity"],
    "links of artifacts": ["LinkArtifact", "UnlinkArtifact"],
}


@pytest.fixture
def client(tmp_path):
    app = create_app(f"sqlite:///{tmp_path}/server.db", files=tmp_path / "files")
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield Client(found)


def refusal(told):
    (error,) = told["errors"]
    return error["message"]


def test_a_sweep_that_cannot_be_is_told_without_lines_that_its_author_never_saw(client):
    told = refusal(client.ask("UpsertSweep", config="method: grid\n\nparameters:\n  x: {valu: 1}\n"))
    assert "\n  parameters.x: 'value' is missing" in told and "line" not in told
    told = refusal(client.ask("UpsertSweep", config="method: bayes\nparameters: {x: {min: 0.0, max: 1.0}}\n"))
    assert told.endswith("\n  method: bayes learns from results: say in metric from which")
    made = client.ask("UpsertSweep", config="method: grid\nodd: 1\nparameters: {x: {value: 1}}\n", projectName="p")
    (warning,) = made["upsertSweep"]["configValidationWarnings"]
    assert warning.startswith("odd: there is no such key")


@pytest.mark.parametrize("operation", sorted(chain.from_iterable(NOT_HERE.values())))
def test_an_operation_that_is_not_here_is_named(client, operation):
    assert refusal(client.ask(operation)) == f"{UNKNOWN} {operation!r}"


def test_other_parameters_for_a_sweep_that_is_there_are_refused(client):
    sweep = client.sweep()
    other = CONFIG.replace("[1, 2]", "[1, 2, 3]")
    assert refusal(client.ask("UpsertSweep", id=sweep, config=other, projectName="p")) == OTHER
    assert "upsertSweep" in client.ask("UpsertSweep", id=sweep, config=CONFIG, projectName="p"), "the same ones are not"


SHOWN = """
import pathlib, wandb
def shows(what, call):
    try:
        call()
    except Exception as error:
        print("SHOWN", what, str(error).replace(chr(10), " "))
with wandb.init(project="p") as run:
    pathlib.Path("w.bin").write_text("w")
    made = wandb.Artifact("m", type="model")
    made.add_file("w.bin")
    run.log_artifact(made).wait()
    shows("LINK", lambda: run.link_artifact(made, "luthier/p/best"))
    shows("REGISTRY", lambda: run.link_artifact(made, "wandb-registry-model/best"))
    run.alert("a title", "a text")
    print("after the alert")
shows("REPORTS", lambda: len(wandb.Api().reports("luthier/p")))
"""


def test_the_client_shows_why(place):
    (place.directory / "sweep.yaml").write_text(CONFIG)
    (place.directory / "other.yaml").write_text(CONFIG.replace("[1, 2]", "[1, 2, 3]"))
    sweep = place.post("/api/v1/sweeps", config=CONFIG).json()["sweep"]
    refused = place.start("-m", "wandb", "sweep", "--update", f"luthier/uncategorized/{sweep}", "other.yaml")
    assert OTHER in place.ended(refused, 1)
    printed = place.script(SHOWN)
    for what, operation in [
        ("LINK", "LinkArtifact"),
        ("REGISTRY", "FetchOrgInfoFromEntity"),
        ("REPORTS", "ProjectViews"),
    ]:
        assert f"{UNKNOWN} {operation!r}" in printed.partition(f"SHOWN {what} ")[2].splitlines()[0]
    assert "after the alert" in printed, "what is not heard of does no harm"
