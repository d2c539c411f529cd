"""What W&B's client says, said by hand: messages lost, runs that vanish, keys of other projects."""

from __future__ import annotations

import json
import time

import pytest
from fastapi.testclient import TestClient

from luthier.server.app import create_app
from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.keys import Keys
from luthier.server.wandb import lookout
from luthier.server.wandb.signing import Signer

CONFIG = "method: grid\nprogram: t.py\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n"


class Client:
    """Says what W&B's client would say."""

    def __init__(self, client, key=None):
        self.client, self.auth = client, ("api", key or "")

    def post(self, path, body):
        return self.client.post(path, json=body, auth=self.auth)

    def ask(self, operation, **variables):
        reply = self.post("/graphql", {"operationName": operation, "query": "", "variables": variables})
        assert reply.status_code == 200, reply.text
        return reply.json()["data"] or reply.json()

    def sweep(self, config=CONFIG, project="p"):
        return self.ask("UpsertSweep", config=config, projectName=project)["upsertSweep"]["sweep"]["name"]

    def agent(self, sweep):
        return self.ask("CreateAgent", host="h", sweep=sweep)["createAgent"]["agent"]["id"]

    def beat(self, agent, *alive):
        told = self.ask("Heartbeat", id=agent, metrics="{}", runState=json.dumps(dict.fromkeys(alive, True)))
        return json.loads(told["agentHeartbeat"]["commands"])

    def begin(self, name, sweep=None, project="p", **more):
        return self.ask("UpsertBucket", name=name, project=project, sweep=sweep, config="{}", **more)

    def stream(self, name, project="p", **body):
        return self.post(f"/files/luthier/{project}/{name}/file_stream", body)

    def rows(self, name, *losses, first=0, **more):
        lines = [json.dumps({"loss": loss, "_step": first + i}) for i, loss in enumerate(losses)]
        return self.stream(name, files={"wandb-history.jsonl": {"offset": first, "content": lines}}, **more)

    def run(self, name):
        return self.client.get(f"/api/v1/runs/{name}", auth=self.auth).json()


@pytest.fixture
def app(database_url, tmp_path):
    return create_app(database_url, files=tmp_path / "files")


@pytest.fixture
def client(app):
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield Client(found)


def test_a_command_that_was_lost_comes_again_and_is_given_up_in_the_end(client):
    agent = client.agent(sweep := client.sweep())
    commands = [client.beat(agent) for _ in range(lookout.HANDOUTS)]
    assert {command["run_id"] for (command,) in commands} == {f"{sweep}_00000"}
    assert commands[0] == [
        {"type": "run", "run_id": f"{sweep}_00000", "program": "t.py", "args": {"x": {"value": 1}}},
    ]
    (command,) = client.beat(agent)
    assert command["run_id"] == f"{sweep}_00001"
    assert client.run(f"{sweep}_00000")["state"] == "failed"


def test_an_agent_that_goes_after_its_last_run_takes_none_with_it(client):
    """``--count 1``: it says nothing; the second run goes to whom it may concern, at once."""
    sweep, agent = client.sweep(), ""
    for number in range(2):
        agent = client.agent(sweep)
        (command,) = client.beat(agent)
        name = command["run_id"]
        client.begin(name, sweep)
        assert client.beat(agent, name) == []
        assert client.rows(name, 0.5, complete=True, exitcode=0).json() == {"stopped": False}
        assert client.run(name)["state"] == "finished", number
    assert client.beat(agent) == [{"type": "exit"}]


def test_an_agent_of_w_and_bs_has_room_for_one_run_of_whatever_size(client):
    """It says nothing of its machine; who starts it for each GPU has seen to that."""
    sweep = client.sweep(CONFIG + "resources: {gpu: 2, cpu: 64}\n")
    assert len({client.beat(client.agent(sweep))[0]["run_id"] for _ in range(2)}) == 2


def test_a_controller_elsewhere_says_what_is_tried(client):
    """W&B's local controller: the server proposes nothing, knows runs before they are born, and ends when told."""
    sweep = client.sweep(CONFIG + "controller: {type: local}\nrun_cap: 5\n")
    agent = client.agent(sweep)
    assert client.beat(agent) == []

    def told():
        found = client.ask("SweepWithRuns", sweep=sweep, specs="{}")["project"]["sweep"]
        return found, json.loads(found["scheduler"])["scheduled"]

    def wish(**more):
        return client.ask("UpsertSweep", id=sweep, config=told()[0]["config"], controller=json.dumps(more))

    entry = {}
    for number, x in enumerate((7, 8)):
        entry = {"id": f"s{x}", "data": {"args": {"x": {"value": x}}}}
        for _ in range(2):
            assert "upsertSweep" in wish(schedule=[entry])
        assert told()[1][-1] == {"id": f"s{x}", "runid": f"{sweep}_{number:05d}"}
        (command,) = client.beat(agent)
        assert (command["run_id"], command["args"]) == (f"{sweep}_{number:05d}", {"x": {"value": x}})
        client.begin(command["run_id"], sweep)
        if number == 0:
            client.rows(command["run_id"], 0.5, complete=True, exitcode=0)
            assert client.beat(agent) == [] and told()[0]["state"] == "RUNNING"
    wish(schedule=[entry], earlystop=[f"{sweep}_00001"])
    assert client.rows(f"{sweep}_00001", 0.5).json() == {"stopped": True}
    assert client.beat(agent) == []
    wish(schedule=[{"id": "last", "data": {"args": None}}])
    assert told()[0]["state"] == "FINISHED"
    assert [edge["node"]["state"] for edge in told()[0]["runs"]["edges"]] == ["finished", "killed"]
    assert client.beat(agent) == [{"type": "exit"}]


def test_a_run_that_somebody_wants_goes_first(client):
    sweep = client.sweep()
    wanted = client.ask("EnqueueSweepRun", id=sweep, config='{"x": {"value": 9}}', displayName=None)
    assert wanted["enqueueSweepRun"]["id"] == f"{sweep}_00000"
    assert client.beat(client.agent(sweep))[0]["args"] == {"x": {"value": 9}}


def test_a_run_that_vanishes_has_failed_and_what_is_left_of_it_is_nobodys(client, monkeypatch):
    sweep = client.sweep(CONFIG + "max_failures: 1\n")
    agent = client.agent(sweep)
    (command,) = client.beat(agent)
    name = command["run_id"]
    client.begin(name, sweep)
    client.rows(name, 0.5)
    assert client.beat(agent, name) == []
    assert client.beat(agent) == [], "its end may be on its way"
    monkeypatch.setattr(lookout, "GRACE_S", 0.0)
    (again,) = client.beat(agent)
    assert (again["run_id"], again["args"]) == (f"{name}-2", {"x": {"value": 1}})
    assert client.rows(name, 9.0, first=1).json() == {"stopped": True}, "an attempt that is over"
    client.begin(f"{name}-2", sweep)
    client.rows(f"{name}-2", 0.25, complete=True, exitcode=0)
    found = client.run(name)
    assert (found["state"], found["attempt"], found["value"], found["rows"]) == ("finished", 2, 0.25, 1)


def test_a_stop_comes_before_all_else_until_the_run_is_gone(client, monkeypatch):
    agent = client.agent(sweep := client.sweep())
    name = client.beat(agent)[0]["run_id"]
    client.begin(name, sweep)
    assert client.rows(name, 0.5).json() == {"stopped": False}
    client.ask("UpsertSweep", id=sweep, state="CANCELED", projectName="p")
    assert client.rows(name, 0.4, first=1).json() == {"stopped": True}
    assert client.beat(agent, name) == [], "it is told by the stream first"
    monkeypatch.setattr(lookout, "GENTLE_S", 0.0)
    for _ in range(2):
        assert client.beat(agent, name) == [{"type": "stop", "run_id": name}]
    assert client.beat(agent) == [{"type": "exit"}]
    assert client.run(name)["state"] == "stopped"
    assert client.ask("GetSweepState", sweep=sweep)["project"]["sweep"]["state"] == "CANCELED"


def test_a_run_by_itself_is_stopped_from_its_page(client):
    """No agent is there that could end it: its client is told when it next tells something."""
    client.begin("mine")
    assert client.rows("mine", 0.5).json() == {"stopped": False}
    shown = client.client.get("/runs/mine").text
    assert ">Stop<" in shown and ">Delete<" in shown and "Another one takes its place" not in shown
    assert client.post("/api/v1/runs/mine/stop", {}).is_success
    assert client.rows("mine", 0.4, first=1).json() == {"stopped": True}
    assert ">Stop<" not in client.client.get("/runs/mine").text
    client.rows("mine", 0.3, first=2, complete=True, exitcode=255)
    found = client.run("mine")
    assert (found["state"], found["rows"], found["reason"]) == ("stopped", 3, "stopped by local")
    assert client.post("/api/v1/runs/mine/stop", {}).is_success
    assert client.run("mine")["state"] == "stopped", "it was at its end"
    assert client.client.delete("/api/v1/runs/mine").is_success
    assert client.stream("mine").json() == {"stopped": True}


def test_saying_it_twice_changes_nothing(client):
    for project in ("p", "q"):  # one name, two projects, two runs
        for _ in range(2):
            client.begin("mine", project=project, displayName=f"mine of {project}")
            lines = [json.dumps({"loss": i}) for i in range(3)]
            output = {"offset": 0, "content": ["2026-11-20T21:39:56.9 hello", "ERROR 2026-11-20T21:41:40 oh"]}
            files = {"wandb-history.jsonl": {"offset": 0, "content": lines}, "output.log": output}
            client.stream("mine", project, files=files, complete=True, exitcode=0)
    for run, project in (("mine", "p"), ("mine:2", "q")):
        found = client.run(run)
        assert (found["project"], found["name"], found["rows"], found["lines"]) == (project, f"mine of {project}", 3, 2)


def test_the_latest_state_of_the_machine_is_kept(client):
    client.begin("mine")
    for cpu in (10, 20):
        lines = [json.dumps({"system.cpu": cpu, "_runtime": cpu})]
        client.stream("mine", files={"wandb-events.jsonl": {"offset": 0, "content": lines}})
    told = client.ask("Run", project="p", name="mine")["project"]["run"]
    assert json.loads(told["systemMetrics"])["system.cpu"] == 20


@pytest.mark.parametrize(
    "content",
    [
        ["{"],
        ['{"loss": 1e999}'],
        ['{"loss": NaN}'],
        ['{"$": "pickle", "type": "x", "v": "gASVAA=="}'],
        ["[1]"],
        ["[" * 99],
    ],
)
def test_whatever_a_line_holds_the_next_one_is_kept(client, content):
    client.begin("mine")
    reply = client.stream("mine", files={"wandb-history.jsonl": {"offset": 0, "content": [*content, '{"loss": 5}']}})
    assert reply.status_code == 200
    assert client.run("mine")["rows"] == 2


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"files": 1}', b"\xff"])
def test_what_is_no_stream_is_refused(client, body):
    reply = client.client.post("/files/luthier/p/mine/file_stream", content=body)
    assert reply.status_code == 422


def test_paths_that_lead_elsewhere_get_no_address(client):
    client.begin("mine")
    told = client.ask("CreateRunFiles", project="p", run="mine", files=["../../key"])
    assert "path" in told["errors"][0]["message"]


def test_addresses_for_uploads_are_good_for_a_while_and_for_one_file(client, tmp_path):
    client.begin("mine")
    told = client.ask("CreateRunFiles", project="p", run="mine", files=["a/b.txt"])["createRunFiles"]
    (address,) = [file["uploadUrl"] for file in told["files"]]
    assert client.client.put(address, content=b"bytes").status_code == 200
    assert client.client.get("/api/v1/runs/mine/files/a/b.txt").content == b"bytes"
    head, _, seal = address.rpartition(".")
    assert client.client.put(f"{head}.{seal[:-2]}xx", content=b"other").status_code == 403
    signer = Signer(tmp_path / "files")
    old = signer.token({"run": "mine", "path": "c"}, time.time() - 7200)
    assert client.client.put(f"/wandb/uploads/{old}", content=b"late").status_code == 403
    good = signer.token({"run": "mine", "path": "c"}, time.time())
    assert client.client.put(f"/wandb/uploads/{good}", content=b"late").status_code == 200


def logged(client, digest, project="p", run="mine"):
    """Log a version of an artifact with one file, and return its id."""
    about = {"projectName": project, "runName": run, "artifactTypeName": "model", "artifactCollectionName": "m"}
    made = client.ask("CreateArtifact", input={**about, "digest": digest, "aliases": []})["createArtifact"]["artifact"]
    if made["state"] == "PENDING":
        wanted = {"artifactFiles": [{"artifactID": made["id"], "name": "w.bin"}]}
        (edge,) = client.ask("CreateArtifactFiles", input=wanted)["createArtifactFiles"]["files"]["edges"]
        assert client.client.put(edge["node"]["uploadUrl"], content=b"w").status_code == 200
        assert "manifest" in client.ask("CommitArtifact", artifactID=made["id"])["errors"][0]["message"]
        told = client.ask("UpdateArtifactManifest", artifactManifestID=made["id"], includeUpload=True)
        address = told["updateArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"]
        assert client.client.put(address, content=b"{}").status_code == 200
        client.ask("CommitArtifact", artifactID=made["id"])
    return made["id"]


def test_versions_of_artifacts_are_whole_or_not_there_and_do_not_change(client):
    client.begin("mine")
    first = logged(client, "1")
    second = logged(client, "2")
    assert logged(client, "2") == second, "the same once more is no new version"
    wanted = {"artifactFiles": [{"artifactID": first, "name": "w.bin"}]}
    assert "whole" in client.ask("CreateArtifactFiles", input=wanted)["errors"][0]["message"]
    assert "whole" in client.ask("UpdateArtifactManifest", artifactManifestID=first)["errors"][0]["message"]
    for name, made in [("m:v0", first), ("m:latest", second), ("m", second)]:
        told = client.ask("ArtifactMembershipByName", project="p", name=name)["project"]
        assert told["artifactCollectionMembership"]["artifact"]["id"] == made
    about = {"projectName": "p", "runName": "mine", "artifactTypeName": "data", "artifactCollectionName": "m"}
    assert "model" in client.ask("CreateArtifact", input={**about, "digest": "3"})["errors"][0]["message"]
    wanted = {"artifactFiles": [{"artifactID": "nothere", "name": "w.bin"}]}
    reply = client.post("/graphql", {"operationName": "CreateArtifactFiles", "variables": {"input": wanted}})
    assert reply.status_code == 404


def test_a_sweep_that_cannot_be_is_refused_and_one_that_is_odd_is_warned_of(client):
    told = client.ask("UpsertSweep", config="method: psychic\nparameters: {x: {value: 1}}\n", projectName="p")
    assert "psychic" in told["errors"][0]["message"]
    odd = CONFIG + "job: something\n"
    assert "job" in client.ask("UpsertSweep", config=odd, projectName="p")["upsertSweep"]["configValidationWarnings"][0]


@pytest.fixture
def guarded(database_url, tmp_path):
    """Clients of a server with keys: of all projects, of two, and one that may only read."""
    app = create_app(database_url, files=tmp_path / "files", auth=True)
    keys = Keys(app.state.service.engine)
    with TestClient(app, base_url="http://127.0.0.1") as found:
        admin = Client(found, keys.add("all", Role.WRITE, by=LOCAL)[1])
        for project in ("mine", "theirs"):
            admin.begin("first", project=project)
        yield (
            admin,
            Client(found, keys.add("mine", Role.WRITE, 1, by=LOCAL)[1]),
            Client(found, keys.add("reads", Role.READ, by=LOCAL)[1]),
        )


def test_another_projects_things_cannot_be_told_from_none(guarded):
    admin, mine, _ = guarded
    theirs = admin.sweep(project="theirs")
    agent = admin.agent(theirs)
    run = admin.beat(agent)[0]["run_id"]
    model = logged(admin, "1", "theirs", "first")
    for operation, variables in [
        ("ArtifactByID", {"id": model}),
        ("ArtifactManifest", {"artifact_id": model}),
        ("ArtifactFileURLsByManifestEntries", {"id": model, "entries": [{"name": "w.bin"}]}),
        ("ArtifactMembershipByName", {"project": "theirs", "name": "m:v0"}),
        ("CommitArtifact", {"artifactID": model}),
        ("UseArtifact", {"artifactID": model, "projectName": "mine", "runName": "first"}),
        ("UpdateArtifact", {"input": {"artifactID": model, "description": "x"}}),
        ("AddAliases", {"input": {"artifactID": model, "aliases": [{"alias": "x"}]}}),
        ("Runs", {"project": "theirs"}),
        ("Run", {"project": "theirs", "name": "first"}),
        ("RunFiles", {"project": "theirs", "name": "first"}),
        ("RunFullHistory", {"project": "theirs", "name": "first"}),
        ("StopRun", {"id": run}),
        ("GetProject", {"name": "theirs"}),
        ("GetSweeps", {"project": "theirs"}),
        ("UpsertBucket", {"name": "x", "project": "theirs"}),
        ("UpsertBucket", {"name": "x", "project": "new"}),
        ("UpsertBucket", {"id": run}),
        ("UpsertBucket", {"name": run, "sweep": theirs}),
        ("RunResumeStatus", {"name": "first", "project": "theirs"}),
        ("CreateRunFiles", {"run": "first", "project": "theirs", "files": ["a"]}),
        ("UpsertSweep", {"config": CONFIG, "projectName": "theirs"}),
        ("UpsertSweep", {"id": theirs, "state": "CANCELED"}),
        ("SweepWithRuns", {"sweep": theirs}),
        ("CreateAgent", {"sweep": theirs, "host": "h"}),
        ("Heartbeat", {"id": agent}),
    ]:
        reply = mine.post("/graphql", {"operationName": operation, "variables": variables})
        assert reply.status_code == 404, (operation, variables, reply.text)
    for name in ("first", run, "new"):
        assert mine.stream(name, "theirs").status_code == 404
    assert [edge["node"]["name"] for edge in mine.ask("GetProjects")["models"]["edges"]] == ["mine"]
    assert mine.begin("unsorted", project=None)["upsertBucket"]["bucket"]["project"]["name"] == "mine"
    assert mine.begin("second", project="mine")["upsertBucket"]["inserted"] is True


def test_who_may_read_changes_nothing(guarded):
    admin, _, reads = guarded
    sweep = admin.sweep(project="mine")
    assert reads.ask("SweepWithRuns", sweep=sweep)["project"]["sweep"]["id"] == sweep
    for operation, variables in [
        ("UpsertBucket", {"name": "x", "project": "mine"}),
        ("UpsertSweep", {"id": sweep, "state": "CANCELED"}),
        ("CreateAgent", {"sweep": sweep, "host": "h"}),
        ("CreateRunFiles", {"run": "first", "project": "mine", "files": ["a"]}),
    ]:
        reply = reads.post("/graphql", {"operationName": operation, "variables": variables})
        assert reply.status_code == 403, (operation, reply.text)
    assert reads.stream("first", "mine").status_code == 403


def test_nobody_and_pages_of_others_are_kept_out(guarded, client):
    admin = guarded[0]
    body = {"operationName": "Viewer"}
    assert admin.client.post("/graphql", json=body).status_code == 401
    assert admin.client.post("/files/luthier/mine/first/file_stream", json={}).status_code == 401
    for found in (admin, client):
        reply = found.client.post("/graphql", json=body, auth=found.auth, headers={"Origin": "https://evil.example"})
        assert reply.status_code == 403


def test_what_is_not_known_is_told_as_graphql_tells_it(client):
    assert "Magic" in client.ask("Magic")["errors"][0]["message"]
    assert "name" in client.ask("RunResumeStatus")["errors"][0]["message"]
    assert client.post("/graphql", {"operationName": 3}).status_code == 422
    assert client.post("/sdk/otel/v1/metrics", {}).status_code == 200
