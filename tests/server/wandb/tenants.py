"""A server with two projects that hold the same, keys to them, and all operations of W&B's client aimed at one."""

from __future__ import annotations

import sqlalchemy as sa

from luthier.server import tables
from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.keys import Keys
from luthier.server.wandb.introspection import PROBES
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
        "ArtifactFileURLsByManifestEntries": [
            {"id": model, "entries": entries},
            {"id": model, "entries": [{"name": "w.bin"}]},
        ],
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
    found["SampledHistoryPage"] = [{**one_run, "spec": '{"keys": ["loss"], "minStep": 0, "maxStep": 9, "samples": 5}'}]
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


def asked(who, operation, variables):
    return who.post("/graphql", {"operationName": operation, "query": "", "variables": variables})
