"""Every operation of W&B's client, aimed at what is another's, and filled with what nobody should send."""

from __future__ import annotations

import itertools
import json
import logging
import time

import msgspec
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from luthier.server import tables
from luthier.server.app import create_app
from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.keys import Keys
from luthier.server.wandb.introspection import PROBES
from luthier.server.wandb.operations import OPERATIONS
from luthier.server.wandb.signing import LIFE_S, Signer
from tests.server.wandb.test_protocol import CONFIG, Client, logged

# Of nobody's project, and so the same for all.
OPEN = {
    "Viewer",
    "GetViewer",
    "GetDefaultEntity",
    "ServerFeaturesQuery",
    "OrganizationCoreWeaveOrganizationID",
    "GetProjects",
    "Projects",
    "TypeFields",
    "InputFields",
    *PROBES,
}


def aims(there):
    """Return for every operation variables that name what is *there* in one project."""
    project, sweep, agent, run, model = (there[part] for part in ("project", "sweep", "agent", "run", "model"))
    one_run, one_sweep = {"project": project, "name": "first"}, {"project": project, "sweep": sweep}
    which = {"project": project, "name": "m:v0"}
    about = {"artifactTypeName": "model", "artifactCollectionName": "m", "digest": "9", "runName": "first"}
    aliases = {"input": {"artifactID": model, "aliases": [{"alias": "x"}]}}
    use = {"artifactID": model, "projectName": project, "runName": "first"}
    entries = [{"name": "w.bin", "birthArtifactID": model}]
    found = {
        "UpsertBucket": [
            {"name": "new", "project": project, "config": '{"a": {"value": 1}}'},
            {"name": "first", "project": project, "displayName": "x", "summaryMetrics": '{"loss": 1}'},
            {"id": run, "notes": "x"},
            {"name": run, "sweep": sweep, "config": "{}", "tags": ["x"]},
        ],
        "RunResumeStatus": [one_run],
        "CreateRunFiles": [{"run": "first", "project": project, "files": ["a"]}],
        "UpsertSweep": [
            {"config": CONFIG, "projectName": project},
            {"id": sweep, "state": "CANCELED"},
            {"id": sweep, "controller": '{"schedule": [{"id": "a", "data": {"args": {"x": {"value": 1}}}}]}'},
        ],
        "UpsertSweepState": [{"id": sweep, "state": "PAUSED"}],
        "EnqueueSweepRun": [{"id": sweep, "config": '{"x": {"value": 1}}'}],
        "SweepRunsWithHistory": [{**one_sweep, "filters": "{}", "first": 9, "historySpecs": ['{"keys": ["loss"]}']}],
        "SweepWatchedRuns": [{**one_sweep, "filters": '{"name": {"$in": ["a"]}}', "first": 9, "cursor": "1"}],
        "SweepWithRuns": [{**one_sweep, "specs": "{}"}, {"sweep": sweep}],
        "CreateAgent": [{"sweep": sweep, "host": "h", "projectName": project}, {"sweep": sweep}],
        "Heartbeat": [{"id": agent, "runState": "{}"}],
        "Runs": [{"project": project, "filters": "{}", "order": "-created_at", "perPage": 5}],
        "RunSampledHistory": [{**one_run, "specs": ['{"keys": ["loss"], "samples": 9}']}],
        "RunFiles": [{**one_run, "pattern": "%", "fileLimit": 5}],
        "StopRun": [{"id": run}],
        "CreateProject": [{"input": {"name": project}}],
        "GetSweeps": [{"project": project}],
        "CreateArtifact": [{"input": {**about, "projectName": project}}],
        "CreateArtifactFiles": [{"input": {"artifactFiles": [{"artifactID": model, "name": "w.bin"}]}}],
        "CreateArtifactManifest": [{"artifactID": model, "includeUpload": True}],
        "UpdateArtifactManifest": [{"artifactManifestID": model, "includeUpload": True}],
        "CommitArtifact": [{"artifactID": model}],
        "UseArtifact": [use, {"input": use}],
        "UpdateArtifact": [{"input": {"artifactID": model, "description": "x", "metadata": '{"a": 1}'}}],
        "ClientIDMapping": [{"clientID": model}],
        "ArtifactByID": [{"id": model}],
        "ArtifactManifest": [{"artifact_id": model}, {"id": model}],
        "FetchArtifactManifest": [{"artifact_id": model}],
        "ArtifactFileURLsByManifestEntries": [{"id": model, "entries": entries}],
        "ArtifactMembershipFiles": [{"project": project, "collection": "m", "alias": "v0"}],
        "GetArtifactMembershipFileUrls": [{"project": project, "collection": "m", "alias": "v0", "fileNames": ["a"]}],
        "ArtifactCollectionMembershipFileUrls": [
            {"projectName": project, "artifactName": "m", "artifactVersionIndex": "v0"},
        ],
        "ProjectArtifacts": [{"project": project, "type": "model", "collection": "m"}],
        "RunOutputArtifacts": [{"project": project, "run": "first"}],
        "RunInputArtifacts": [{"project": project, "run": "first"}],
    }
    found |= {name: [aliases] for name in ("AddAliases", "DeleteAliases")}
    found |= {name: [one_sweep] for name in ("SweepConfig", "GetSweepState", "GetSweep", "GetSweepLegacy", "Sweep")}
    found |= {name: [{"name": project}] for name in ("GetProject", "IsProjectReadOnly")}
    found |= {name: [which] for name in ("ArtifactMembershipByName", "ArtifactByName", "ArtifactType")}
    found |= {name: [one_run] for name in ("Run", "RunState", "RunParquetHistory", "RunHistoryKeys")}
    rows = {**one_run, "minStep": 0, "maxStep": 9, "pageSize": 5}
    found |= {name: [rows] for name in ("RunFullHistory", "HistoryPage")}
    found |= {name: [{"id": model}] for name in ("GetArtifactFileUrls", "ArtifactFileUrls")}
    return found


MISSING = {"project": "nobodys", "sweep": "nobodys1", "agent": "0123456789", "run": "nobodys1_00000", "model": "0" * 16}


class Tenants:
    """A server with two projects that hold the same, and keys to them."""

    def __init__(self, client, engine, files):
        self.client, self.engine, self.files = client, engine, files
        keys = Keys(engine)
        self.everyone = Client(client, keys.add("all", Role.WRITE, by=LOCAL)[1])
        self.there = {project: self._filled(project) for project in ("mine", "theirs")}
        place = self.rows(tables.projects)[0]
        assert place.name == "mine"
        self.mine = Client(client, keys.add("mine", Role.WRITE, place.id, by=LOCAL)[1])
        self.admin = Client(client, keys.add("admin", Role.ADMIN, place.id, by=LOCAL)[1])
        self.reads = Client(client, keys.add("reads", Role.READ, place.id, by=LOCAL)[1])

    def _filled(self, project):
        who = self.everyone
        who.begin("first", project=project)
        who.rows("first", 1.0, 2.0, project=project)
        sweep = who.sweep(project=project)
        agent = who.agent(sweep)
        run = who.beat(agent)[0]["run_id"]
        who.begin(run, sweep, project)
        return {
            "project": project, "sweep": sweep, "agent": agent, "run": run,
            "model": logged(who, f"1 of {project}", project, "first"),
        }  # fmt: skip

    def rows(self, table):
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)))

    def all_rows(self):
        """Return what all tables hold, but for when keys were last used."""
        return {name: self.rows(table) for name, table in tables.METADATA.tables.items() if name != "keys"}


@pytest.fixture
def tenants(database_url, tmp_path):
    app = create_app(database_url, files=tmp_path / "files", auth=True)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield Tenants(client, app.state.service.engine, tmp_path / "files")


def asked(who, operation, variables):
    return who.post("/graphql", {"operationName": operation, "query": "", "variables": variables})


def test_all_operations_are_aimed():
    assert set(aims(MISSING)) | OPEN == set(OPERATIONS)


def test_no_operation_tells_of_another_project_or_changes_it(tenants):
    before = tenants.all_rows()
    missing = aims(MISSING)
    for who in (tenants.mine, tenants.admin):
        for operation, variables in aims(tenants.there["theirs"]).items():
            for one, other in zip(variables, missing[operation], strict=True):
                found, nothing = asked(who, operation, one), asked(who, operation, other)
                assert (found.status_code, found.text) == (nothing.status_code, nothing.text), (operation, one)
                assert found.status_code == 404, (operation, one, found.text)
    assert tenants.all_rows() == before
    for name in ("first", tenants.there["theirs"]["run"], "new"):
        assert tenants.mine.rows(name, 5.0, project="theirs").status_code == 404
    assert tenants.all_rows() == before


def test_no_operation_mixes_two_projects(tenants):
    """Names of one project, things of another: a key to both, and one to one of them."""
    mine, theirs = tenants.there["mine"], tenants.there["theirs"]
    mixed = {**theirs, "project": "mine"}
    before = [row for row in tenants.rows(tables.artifacts) if row.id == theirs["model"]]
    for operation, variables in aims(mixed).items():
        for one in variables:
            reply = asked(tenants.mine, operation, one)
            told = reply.text.replace(json.dumps(one), "")
            for secret in (theirs["run"], theirs["model"], theirs["sweep"], theirs["agent"]):
                assert secret not in told, (operation, one, told)
    assert [row for row in tenants.rows(tables.artifacts) if row.id == theirs["model"]] == before
    asked(tenants.mine, "CreateArtifact", {"input": {**_model("mine"), "clientID": theirs["model"], "digest": "7"}})
    (row,) = [row for row in tenants.rows(tables.artifacts) if row.client_id == theirs["model"]]
    assert row.project_id != before[0].project_id
    told = tenants.everyone.ask("ArtifactByID", id=theirs["model"])
    assert told["artifact"]["id"] == theirs["model"], "what a client names itself stands for nobody else's"
    assert mine["model"] != theirs["model"]


def _model(project):
    about = {"artifactTypeName": "model", "artifactCollectionName": "m", "runName": "first"}
    return {**about, "projectName": project}


def test_who_may_read_is_refused_all_that_writes_and_changes_nothing_by_the_rest(tenants):
    before = tenants.all_rows()
    for operation, variables in aims(tenants.there["mine"]).items():
        for one in variables:
            reply = asked(tenants.reads, operation, one)
            assert reply.status_code == (403 if OPERATIONS[operation].writes else 200), (operation, reply.text)
            if not OPERATIONS[operation].writes:
                assert reply.json()["data"] is not None, (operation, reply.text)
    for operation in OPEN:
        assert asked(tenants.reads, operation, {}).status_code == 200
    assert tenants.reads.rows("first", 5.0, project="mine").status_code == 403
    assert tenants.all_rows() == before


def test_signed_addresses_are_good_for_what_they_say(tenants):
    client, there = tenants.client, tenants.there
    made = asked(tenants.mine, "CreateRunFiles", {"run": "first", "project": "mine", "files": ["a"]}).json()["data"]
    upload = made["createRunFiles"]["files"][0]["uploadUrl"]
    assert client.put(upload, content=b"bytes").status_code == 200
    listed = asked(tenants.mine, "RunFiles", {"project": "mine", "name": "first"}).json()["data"]
    files = {edge["node"]["name"]: edge["node"]["url"] for edge in listed["project"]["run"]["files"]["edges"]}
    download = files["a"]
    assert client.get(download).content == b"bytes"
    # What is for one thing is not for another.
    assert client.get(upload.replace("uploads", "downloads")).status_code == 403
    assert client.put(download.replace("downloads", "uploads"), content=b"x").status_code == 403
    assert client.put(download, content=b"x").status_code == 405
    # Made by others, cut, put together from two, too old, of a run that is not there.
    signer, now = Signer(tenants.files), time.time()
    theirs = next(row.id for row in tenants.rows(tables.runs) if row.id.startswith("first:"))
    token, (body, _, seal) = upload.rpartition("/")[2], upload.rpartition("/")[2].partition(".")
    other = download.rpartition("/")[2].partition(".")[0]
    forged = Signer(tenants.files / "elsewhere").token({"run": theirs, "path": "a"}, now)
    old = signer.token({"run": theirs, "path": "a"}, now - LIFE_S - 1)
    for bad in (forged, old, body, f"{body}.", f".{seal}", f"{other}.{seal}", f"{token}x", f"{token}.x", "x", "%00"):
        assert client.put(f"/wandb/uploads/{bad}", content=b"x").status_code in {403, 404}, bad
        assert client.get(f"/wandb/downloads/{bad}").status_code in {403, 404}, bad
    gone = signer.token({"run": "nobodys", "path": "a"}, now)
    assert client.put(f"/wandb/uploads/{gone}", content=b"x").status_code == 404
    kept = {row.run_id for row in tenants.rows(tables.files) if row.path == "a"}
    assert kept == {"first"}
    assert not (tenants.files / "elsewhere" / "a").exists()
    assert there["theirs"]["model"]


def test_a_version_that_is_whole_does_not_change_by_any_way(tenants):
    mine, client = tenants.there["mine"], tenants.client
    path = f"artifacts/{mine['model']}/w.bin"
    before = [row for row in tenants.rows(tables.files) if row.path == path]
    named = asked(tenants.mine, "CreateRunFiles", {"run": "first", "project": "mine", "files": [path]}).json()["data"]
    late = Signer(tenants.files).token({"run": "first", "path": path}, time.time())
    addresses = [named["createRunFiles"]["files"][0]["uploadUrl"], f"/wandb/uploads/{late}"]
    for address in addresses:
        assert client.put(address, content=b"other").status_code == 409
    reply = client.put(f"/api/v1/runs/first/files/{path}", content=b"other", auth=tenants.mine.auth)
    assert reply.status_code == 409 and "whole" in reply.json()["detail"]
    assert client.put(addresses[0], content=b"w").status_code == 200, "the same once more"
    assert [row.sha256 for row in tenants.rows(tables.files) if row.path == path] == [row.sha256 for row in before]


def test_a_version_is_whole_when_all_its_files_have_come(tenants):
    made = asked(tenants.mine, "CreateArtifact", {"input": {**_model("mine"), "digest": "2"}}).json()["data"]
    model = made["createArtifact"]["artifact"]["id"]

    def put(name, content):
        wanted = {"artifactFiles": [{"artifactID": model, "name": name}]}
        told = asked(tenants.mine, "CreateArtifactFiles", {"input": wanted}).json()["data"]["createArtifactFiles"]
        address = told["files"]["edges"][0]["node"]["uploadUrl"]
        assert tenants.client.put(address, content=content).status_code == 200

    def refused():
        return asked(tenants.mine, "CommitArtifact", {"artifactID": model}).json()["errors"][0]["message"]

    for manifest in (b"{", b"[]", b'{"contents": {"a": 1}}', b"[" * 100_000):
        put("wandb_manifest.json", manifest)
        assert "cannot be read" in refused()
    entries = {
        "here.bin": {"birthArtifactID": model, "size": 4},
        "cut.bin": {"birthArtifactID": model, "size": 9},
        "gone.bin": {"birthArtifactID": model},
        "elsewhere": {"birthArtifactID": model, "ref": "s3://somewhere/else"},
        "before.bin": {"birthArtifactID": tenants.there["mine"]["model"], "size": 1},
    }
    put("wandb_manifest.json", json.dumps({"contents": entries}).encode())
    put("here.bin", b"here")
    put("cut.bin", b"half")
    assert "cut.bin, gone.bin" in refused() and "here.bin" not in refused()
    put("cut.bin", b"all of it")
    put("gone.bin", b"")
    told = asked(tenants.mine, "CommitArtifact", {"artifactID": model}).json()["data"]
    assert told["commitArtifact"]["artifact"]["id"] == model


DEEP = "[" * 50_000
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12)
)
ODD = [
    None, "", "\x00", "\N{RIGHT-TO-LEFT OVERRIDE}../..", -1, 10**30, [], ["\x00"], {}, {"": None}, "x" * 50_000, DEEP,
    LAUGHS, '{"a": "\\ud800"}', '{"a": NaN, "b": 1e999, "c": ' + "9" * 5000 + "}", '{"\\u0000": "\\u0000"}', "[{}]",
    '{"$where": "1"}', '{"$or": [{"$not": {"$gt": 1}}]}', '{"schedule": [1], "earlystop": 3}', '{"keys": [1, {}]}',
]  # fmt: skip


@pytest.mark.parametrize("of_each", [5, pytest.param(2, marks=pytest.mark.slow)])  # every so many of the values
def test_no_operation_breaks_whatever_it_is_given(tenants, caplog, of_each):
    """Nothing may end in a status of 500, which the client tries again, nor in an exception that nobody thought of."""
    wrong, turn = [], itertools.count()
    for operation, variables in aims(tenants.there["mine"]).items():
        fields = [field.encode_name for field in msgspec.structs.fields(OPERATIONS[operation].told)]
        for field in fields:
            for odd in ODD[next(turn) % of_each :: of_each]:
                wrong += broken(tenants, caplog, operation, {**variables[0], field: odd})
                if field == "input":  # all is in there
                    inner = variables[-1]["input"]
                    for name in inner:
                        wrong += broken(tenants, caplog, operation, {"input": {**inner, name: odd}})
    assert wrong == []


def broken(tenants, caplog, operation, variables):
    """Return what is wrong with the answer, in a list."""
    caplog.clear()
    reply = asked(tenants.mine, operation, variables)
    failed = [record.exc_text for record in caplog.records if record.levelno >= logging.ERROR]
    if reply.status_code < 500 and not failed:
        return []
    return [(operation, str(variables)[:200], reply.status_code, reply.text[:200], str(failed)[-300:])]


WISHES = [
    {"schedule": 1}, {"schedule": [1]}, {"schedule": [{}]}, {"schedule": [{"id": {"a": 1}}]}, {"earlystop": 3},
    {"schedule": [{"id": [], "data": 3}]}, {"schedule": [{"id": "d", "data": {}}]}, {"schedule": {"id": "a"}},
    {"schedule": [{"id": "a", "data": {"args": {"y": {"value": 1}}}}]}, {"earlystop": [None, {}, "x"]}, [], 3, None,
    {"schedule": [{"id": "b", "data": {"args": 7}}]}, {"schedule": [{"id": "c", "data": {"args": {"x": [[[]]]}}}]},
]  # fmt: skip


def test_what_a_controller_wishes_in_error_leaves_its_sweep_alive(tenants, caplog):
    who = tenants.mine
    config = CONFIG + "controller: {type: local}\n"
    sweep = who.sweep(config, project="mine")
    told = json.dumps
    agent = who.agent(sweep)
    wrong = [
        found
        for wish in WISHES
        for found in broken(tenants, caplog, "UpsertSweep", {"id": sweep, "config": config, "controller": told(wish)})
    ]
    assert wrong == []
    for odd in (
        "{}",
        '{"y": {"value": 1}}',
        "[]",
        "x",
    ):  # a config that nobody could try would stop all that comes after
        assert "parameter" in who.ask("EnqueueSweepRun", id=sweep, config=odd)["errors"][0]["message"]
    state = who.ask("GetSweepState", sweep=sweep)["project"]["sweep"]["state"]
    wish = {"schedule": [{"id": "good", "data": {"args": {"x": {"value": 5}}}}]}
    who.ask("UpsertSweep", id=sweep, config=config, controller=told(wish))
    assert state in {"RUNNING", "PENDING"}
    assert 5 in [c["args"]["x"]["value"] for _ in range(9) for c in who.beat(agent) if c["type"] == "run"]


BODIES = {
    b"": 422, b"{": 422, b"[]": 422, b"null": 422, b"3": 422, b"\xff": 422, b'{"operationName": 3}': 422,
    b'[{"operationName": "Viewer"}, {"operationName": "Viewer"}]': 422,  # a batch
    b'{"query": "' + b"[" * 200_000 + b'"}': 200, b'{"variables": ' + b"[" * 200_000: 422,
    b'{"variables": ' + b'{"a":' * 200_000: 422, b'{"query": "' + b"query " * 200_000 + b'"}': 200,
    b'{"query": "query   ' + b" " * 1_000_000 + b'"}': 200, b'{"query": "query {' + b" " * 1_000_000 + b'"}': 200,
    b'{"query": "query Viewer { a: viewer { id } b: viewer { id } ...F } fragment F on X { viewer { id } }"}': 200,
    b'{"query": "query Viewer { viewer { id } } mutation UpsertBucket { x }", "operationName": "Magic"}': 200,
    b'{"query": "{ __schema { types { name } } }"}': 200, b'{"query": "query IntrospectionQuery { __schema }"}': 200,
    b'{"operationName": "__class__"}': 200, b'{"operationName": "Viewer", "variables": null}': 200,
}  # fmt: skip


def test_whatever_is_no_question_is_told_so(tenants):
    for body, status in BODIES.items():
        began = time.process_time()
        reply = tenants.client.post("/graphql", content=body, auth=tenants.mine.auth)
        assert reply.status_code == status, (body[:80], reply.text[:200])
        assert time.process_time() - began < 5, body[:80]
        if status == 200 and b"Viewer" not in body:
            assert reply.json()["errors"], body[:80]
    told = tenants.client.post("/graphql", json={"query": "query { viewer { id } }"}, auth=tenants.mine.auth).json()
    assert told["data"]["viewer"]["username"] == "mine", "how older clients ask whether a key is good"
    # The name decides, and with it the rights: not what the text of the query says beside it.
    sly = {"operationName": "UpsertBucket", "query": "query Viewer { viewer { id } }", "variables": {"name": "sly"}}
    assert tenants.client.post("/graphql", json=sly, auth=tenants.reads.auth).status_code == 403


LINES = [
    '{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a": "\\u0000", "\\u0000": 1}', '{"a": ' + "9" * 5000 + "}",
    '{"a": 1e999}',
    '{"_timestamp": NaN}', '{"_timestamp": 1e999}', '{"_timestamp": -1e300}', '{"_timestamp": "x"}',
    '{"_timestamp": ' + "9" * 400 + "}", '{"a": ' + "[" * 90 + "]" * 90 + "}", '{"a": ' + "[" * 90_000,
    '{"": {"": {}}}',
    '{"_step": "x", "_runtime": []}', '{"__proto__": 1}', "null", "",
    "x" * 1_000_000, '{"a": "' + "y" * 5_000_000 + '"}',
]  # fmt: skip


def test_whatever_a_stream_holds_the_rest_of_it_is_kept(tenants):
    for number, line in enumerate(LINES):
        name = f"odd{number}"
        tenants.mine.begin(name, project="mine")
        history = {"offset": 0, "content": [line, '{"loss": 5}']}
        parts = {"wandb-summary.json": [line], "wandb-events.jsonl": [line], "output.log": [line, "said"]}
        files = {part: {"offset": 0, "content": lines} for part, lines in parts.items()}
        body = json.dumps({"files": {**files, "wandb-history.jsonl": history}, "complete": True, "exitcode": 1})
        for _ in range(2):
            url = f"/files/luthier/mine/{name}/file_stream"
            reply = tenants.client.post(url, content=body, auth=tenants.mine.auth)
            assert (reply.status_code, reply.json()) == (200, {"stopped": False}), (line[:80], reply.text[:300])
        found = tenants.mine.run(name)
        assert (found["state"], found["rows"], found["lines"]) == ("failed", 2, 2), line[:80]
        page = tenants.client.get(f"/api/v1/runs/{name}/history", auth=tenants.mine.auth)
        assert page.json()["items"][-1]["loss"] == 5, line[:80]
        told = tenants.mine.ask("RunFullHistory", project="mine", name=name, samples=5)
        assert json.loads(told["project"]["run"]["history"][-1])["loss"] == 5, line[:80]
        assert tenants.client.get(f"/runs/{name}", auth=tenants.mine.auth).status_code == 200


def test_offsets_lead_nowhere(tenants):
    url = "/files/luthier/mine/far/file_stream"
    tenants.mine.begin("far", project="mine")
    for part in ("wandb-history.jsonl", "output.log", "wandb-events.jsonl", "wandb-summary.json"):
        for offset in (-1, 2**53, 10**30, 1.5, "1"):
            body = {"files": {part: {"offset": offset, "content": ['{"loss": 1}']}}}
            reply = tenants.client.post(url, json=body, auth=tenants.mine.auth)
            assert reply.status_code == 422, (part, offset, reply.text)
    assert tenants.mine.run("far")["rows"] == 0


def test_limits_are_told(tenants):
    auth = tenants.mine.auth
    told = tenants.client.post("/graphql", content=b"x" * (11 << 20), auth=auth)
    assert told.status_code == 413
    told = tenants.client.post("/files/luthier/mine/first/file_stream", content=b"x" * (25 << 20), auth=auth)
    assert told.status_code == 413
    many = [f"{number}" for number in range(10_001)]
    assert asked(tenants.mine, "CreateRunFiles", {"run": "first", "project": "mine", "files": many}).status_code == 404
    for operation, variables in [
        ("Runs", {"project": "mine", "filters": json.dumps({"name": {"$in": ["x"] * 100_000}})}),
        ("RunSampledHistory", {"project": "mine", "name": "first", "specs": ["{}"] * 101}),
        ("SweepWithRuns", {"sweep": tenants.there["mine"]["sweep"], "specs": ["{}"] * 101}),
    ]:
        assert asked(tenants.mine, operation, variables).json()["errors"], operation
