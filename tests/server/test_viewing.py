"""luthier ui: experiments of a directory as pages, followed as they run."""

from __future__ import annotations

import shutil
import socket
from contextlib import closing

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from luthier.cli import ui
from luthier.cli.commands import luthier
from luthier.core import events as ev
from luthier.core.terms import Outcome, Status, Then, TrialId
from luthier.server.viewing.app import viewing
from luthier.store.jsonl import JsonlStore
from tests.callbacks.story import Story

BASE = "/api/v1"
LOCAL = "http://127.0.0.1"


@pytest.fixture
def story(tmp_path):
    told = Story(tmp_path / "results" / "quick")
    for number in range(4):
        trial = told.start(number)
        told.report(trial, loss=5.0 - number)
        told.report(trial, loss=4.0 - number)
    told.end("x_00000")
    told.save()
    return told


@pytest.fixture
def look(tmp_path):
    """Give the pages over a directory, followed by hand."""
    opened = []

    def open_pages(path=tmp_path / "results"):
        context = viewing(path, follow=False)
        app, folder = context.__enter__()
        opened.append(context)
        return TestClient(app, base_url=LOCAL), folder

    yield open_pages
    for context in opened:
        context.__exit__(None, None, None)


def every(folder):
    folder._looks = 0
    folder.look()


def test_an_experiment_is_shown(story, look):
    client, folder = look()
    (sweep,) = client.get(f"{BASE}/sweeps").json()
    assert (sweep["kind"], sweep["name"], sweep["project"], sweep["runs"]) == ("experiment", "quick", "results", 4)
    assert sweep["best_value"] == 1.0 and sweep["best_run"]["id"] == "x_00003"
    assert sweep["state"] == "PAUSED" and "luthier resume" in sweep["reason"]  # nobody runs it, and trials are open
    rows = client.get(f"{BASE}/sweeps/{sweep['id']}/runs", params={"sort": "number"}).json()["rows"]
    assert [row["summary/loss"] for row in rows] == [4.0, 3.0, 2.0, 1.0]
    assert [row["state"] for row in rows] == ["finished", "running", "running", "running"]
    (series,) = client.get(f"{BASE}/runs/x_00001/curves", params={"metric": "loss"}).json()["series"]
    assert series["y"] == [4.0, 3.0]
    figure = client.get(f"{BASE}/sweeps/{sweep['id']}/figures/learning_curves").json()
    assert figure["data"] and "blank" not in figure["meta"]
    for path in ("/", "/projects/results", f"/sweeps/{sweep['id']}", "/runs/x_00001"):
        page = client.get(path)
        assert page.status_code == 200 and "data-method" not in page.text
    assert not folder.unreadable


def test_who_reached_max_t_is_finished(look, tmp_path):
    told = Story(tmp_path / "results" / "quick")
    trials = [told.start(number) for number in range(2)]
    told.emit(ev.Halted(trials[0], 1, Then.STOP, "reached max_t", why={"time": 2, "max_t": 2}))
    told.emit(ev.Halted(trials[1], 1, Then.STOP, "bad", why={"time": 2, "rung": 2}))
    for trial in trials:
        told.emit(ev.Exited(trial, 1, Outcome.HALTED), ev.Ended(trial, Status.STOPPED, "as it was told"))
    told.save()
    client, _ = look()
    (sweep,) = client.get(f"{BASE}/sweeps").json()
    assert sweep["counts"] == {"finished": 1, "stopped": 1}


def test_what_comes_later_is_shown(story, look):
    store = JsonlStore(story.directory)
    client, folder = look()
    (sweep,) = client.get(f"{BASE}/sweeps").json()
    assert sweep["state"] == "RUNNING"
    count = sum(len(record.events) for record in store.read())
    trial = TrialId("x_00001")
    store.append([
        ev.Reported(trial, 1, 2, {"loss": 0.5, "training_iteration": 3}),
        ev.Exited(trial, 1, Outcome.FINISHED), ev.Ended(trial, Status.DONE),
    ], count)  # fmt: skip
    folder.look()
    assert client.get(f"{BASE}/sweeps/{sweep['id']}").json()["best_value"] == 0.5
    assert client.get(f"{BASE}/runs/x_00001").json()["state"] == "finished"
    assert client.get(f"{BASE}/runs/x_00001/history").json()["rows"] == 3
    store.close()
    shutil.copytree(story.directory, story.directory.parent / "copy")
    every(folder)
    found = {each["name"]: each for each in client.get(f"{BASE}/sweeps").json()}
    assert set(found) == {"quick", "copy"} and found["copy"]["runs"] == 4  # ids that are taken stay apart
    assert client.get(f"{BASE}/runs/x_00001~{found['copy']['id']}").json()["summary"]["loss"] == 0.5


def test_output_of_trials(story, look):
    trial = story.directory / "f_x_00000"
    (trial / "stdout").write_bytes(b"one\ntwo \xff\n")
    (trial / "stderr").write_text("three\n")
    client, _folder = look()
    items = client.get(f"{BASE}/runs/x_00000/output").json()["items"]
    assert [(line["stream"], line["text"]) for line in items] == [
        ("out", "one"),
        ("out", "two \ufffd"),
        ("err", "three"),
    ]


def test_a_damaged_experiment_spoils_nothing(story, look):
    other = story.directory.parent / "broken"
    shutil.copytree(story.directory, other)
    (segment,) = (other / "events").glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(lines[0] + lines[1][:-20] + b"\n" + b"".join(lines[2:]))
    nothing = story.directory.parent / "nothing"
    nothing.mkdir()
    (nothing / "experiment.json").write_text("{")
    client, folder = look()
    found = {each["name"]: each for each in client.get(f"{BASE}/sweeps").json()}
    assert found["quick"]["runs"] == 4 and found["broken"]["state"] == "FAILED"
    assert "cannot be read further" in found["broken"]["reason"]
    assert [path.name for path in folder.unreadable] == ["nothing"]


def test_one_experiment_alone_and_none_at_all(story, look, tmp_path):
    client, _folder = look(story.directory)
    (sweep,) = client.get(f"{BASE}/sweeps").json()
    assert (sweep["name"], sweep["project"]) == ("quick", "results")
    (tmp_path / "empty").mkdir()
    client, folder = look(tmp_path / "empty")
    assert "No sweeps" in client.get("/projects/empty").text and not folder.unreadable


def test_only_this_machine_is_answered(story, look):
    client, _folder = look()
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/").headers["content-security-policy"].startswith("default-src 'self'")
    for method in ("POST", "PATCH", "DELETE", "PUT"):
        assert client.request(method, f"{BASE}/runs/x_00001").status_code in {404, 405}


def test_command_line(story, monkeypatch):
    import uvicorn

    seen = []

    def run(self, sockets):
        seen.append(sockets[0].getsockname())
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    found = CliRunner().invoke(luthier, ["ui", str(story.directory.parent), "--port", "0"])
    assert found.exit_code == 0, found.output
    assert seen[0][0] == "127.0.0.1" and f"http://127.0.0.1:{seen[0][1]} shows" in found.output
    with closing(socket.socket()) as taken:
        taken.bind((ui.HOST, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = CliRunner().invoke(luthier, ["ui", str(story.directory), "--port", port])
    assert found.exit_code == 2 and f"--port {port} cannot be used" in found.output
    assert CliRunner().invoke(luthier, ["ui", str(story.directory / "nope")]).exit_code == 2
