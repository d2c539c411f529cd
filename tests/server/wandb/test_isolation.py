"""What W&B's client may do with a key: nothing to another's project, and nothing by reading."""

from __future__ import annotations

import json
import time

from luthier.server import tables
from luthier.server.wandb.operations import OPERATIONS
from luthier.server.wandb.signing import LIFE_S, Signer
from tests.server.wandb.tenants import MISSING, OPEN, aims, asked


def test_all_operations_are_aimed():
    assert set(aims(MISSING)) | OPEN == set(OPERATIONS)


def test_no_operation_tells_of_another_project_or_changes_it(tenants):
    before = tenants.all_rows()
    missing = aims(MISSING)
    for who in (tenants.mine, tenants.admin):
        for operation, variables in aims(tenants.there["theirs"]).items():
            for one, other in zip(variables, missing[operation], strict=True):
                found, nothing = asked(who, operation, one), asked(who, operation, other)
                assert (found.status_code, unnamed(tenants, found)) == (nothing.status_code, nothing.text), (
                    operation,
                    one,
                )
                assert found.status_code == 404, (operation, one, found.text)
    assert tenants.all_rows() == before
    for name in ("first", tenants.there["theirs"]["run"], "new"):
        assert tenants.mine.rows(name, 5.0, project="theirs").status_code == 404
    assert tenants.all_rows() == before


def unnamed(tenants, reply):
    """Return the text of a *reply* about things of the other project with the names of what is not there instead."""
    text = reply.text
    for what in ("run", "sweep", "agent", "model", "project"):  # a run's name has its sweep's in it
        text = text.replace(tenants.there["theirs"][what], MISSING[what])
    return text


def test_what_is_not_there_is_named_in_what_the_client_shows(tenants):
    for sweep in ("typo1", tenants.there["theirs"]["sweep"]):
        reply = asked(tenants.mine, "CreateAgent", {"sweep": sweep, "host": "h"})
        (error,) = reply.json()["errors"]  # its user sees nothing else of an answer
        assert error["message"] == f"sweep {sweep!r}: there is no such thing here, or this key does not see it"
    reply = asked(tenants.reads, "CreateAgent", {"sweep": tenants.there["mine"]["sweep"], "host": "h"})
    assert reply.status_code == 403 and "role write" in reply.json()["errors"][0]["message"]


def test_who_has_no_good_key_is_told_so_by_the_client(tenants):
    reply = tenants.client.post("/graphql", json={"operationName": "Viewer"}, auth=("api", "luthier_" + "x" * 40))
    assert (reply.status_code, reply.json()["errors"]) == (401, [{"message": "this is no key, or it was revoked"}])


def test_no_operation_mixes_two_projects(tenants):
    """Names of one project, things of another: a key to both, and one to one of them."""
    mine, theirs = tenants.there["mine"], tenants.there["theirs"]
    mixed = {**theirs, "project": "mine"}
    before = [row for row in tenants.rows(tables.artifacts) if row.id == theirs["model"]]
    for operation, variables in aims(mixed).items():
        for one in variables:
            reply = asked(tenants.mine, operation, one)
            told = reply.text.replace(json.dumps(one), "")
            if reply.status_code == 404:  # it names what it was asked for, and nothing else
                told = told.partition(": there is no such thing here")[2]
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
