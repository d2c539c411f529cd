"""Which operation of W&B's client is answered by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from luthier.server.wandb import (
    agents,
    artifacts,
    buckets,
    controllers,
    introspection,
    listing,
    places,
    polling,
    sweeps,
    uploads,
    versions,
    viewer,
)
from luthier.server.wandb.asked import Asked
from luthier.server.wandb.given import Input


class Operation(NamedTuple):
    """What answers an operation.

    Attributes:
        told: what its variables are.
        answer: makes the answer.
        writes: whether it changes something.
    """

    told: type[Any]
    answer: Callable[[Asked, Any], dict[str, Any]]
    writes: bool = False


OPERATIONS: dict[str, Operation] = {
    "Viewer": Operation(viewer.Nothing, viewer.viewer),
    "GetViewer": Operation(viewer.Nothing, viewer.viewer),
    "GetDefaultEntity": Operation(viewer.Nothing, viewer.viewer),
    "ServerFeaturesQuery": Operation(viewer.Nothing, viewer.features),
    "OrganizationCoreWeaveOrganizationID": Operation(viewer.Nothing, viewer.organization),
    "TypeFields": Operation(introspection.Type, introspection.fields),
    "InputFields": Operation(introspection.Type, introspection.fields),
    **{name: Operation(introspection.Type, introspection.probe) for name in introspection.PROBES},
    "UpsertBucket": Operation(buckets.UpsertBucket, buckets.upsert, writes=True),
    "RunResumeStatus": Operation(buckets.RunResumeStatus, buckets.resume_status),
    "CreateRunFiles": Operation(uploads.CreateRunFiles, uploads.create_files, writes=True),
    "UpsertSweep": Operation(sweeps.UpsertSweep, sweeps.upsert, writes=True),
    "UpsertSweepState": Operation(sweeps.State, sweeps.steer, writes=True),
    "EnqueueSweepRun": Operation(controllers.Enqueue, controllers.enqueue, writes=True),
    "SweepConfig": Operation(sweeps.OneSweep, sweeps.state),
    "SweepRunsWithHistory": Operation(polling.Poll, polling.of_sweep),
    "SweepWatchedRuns": Operation(polling.Poll, polling.watched),
    "SweepWithRuns": Operation(sweeps.OneSweep, sweeps.with_runs),
    "GetSweepState": Operation(sweeps.OneSweep, sweeps.state),
    "GetSweep": Operation(sweeps.OneSweep, sweeps.state),
    "Sweep": Operation(sweeps.OneSweep, sweeps.state),
    "GetSweepLegacy": Operation(sweeps.OneSweep, sweeps.state),
    "CreateAgent": Operation(agents.CreateAgent, agents.create, writes=True),
    "Heartbeat": Operation(agents.Heartbeat, agents.heartbeat, writes=True),
    "Runs": Operation(listing.Many, listing.many),
    "Run": Operation(listing.One, listing.one),
    "RunState": Operation(listing.One, listing.one),
    "RunSampledHistory": Operation(listing.One, listing.history),
    "RunFullHistory": Operation(listing.One, listing.history),
    "RunParquetHistory": Operation(listing.One, listing.scan),
    "HistoryPage": Operation(listing.One, listing.history),
    "SampledHistoryPage": Operation(listing.One, listing.history_page),
    "RunHistoryKeys": Operation(listing.One, listing.history_keys),
    "RunFiles": Operation(listing.One, listing.file_list),
    "StopRun": Operation(listing.ById, listing.stop, writes=True),
    "GetProject": Operation(places.Named, places.project),
    "IsProjectReadOnly": Operation(places.Named, places.project),
    "GetProjects": Operation(places.Named, places.every),
    "Projects": Operation(places.Named, places.every),
    "CreateProject": Operation(places.CreateProject, places.create, writes=True),
    "GetSweeps": Operation(places.Named, places.every_sweep),
    "CreateArtifact": Operation(Input, artifacts.create, writes=True),
    "CreateArtifactFiles": Operation(Input, artifacts.create_files, writes=True),
    "CreateArtifactManifest": Operation(artifacts.CreateManifest, artifacts.create_manifest, writes=True),
    "UpdateArtifactManifest": Operation(artifacts.UpdateManifest, artifacts.update_manifest, writes=True),
    "CommitArtifact": Operation(artifacts.Commit, artifacts.commit, writes=True),
    "UseArtifact": Operation(Input, artifacts.use, writes=True),
    "AddAliases": Operation(Input, artifacts.change_aliases, writes=True),
    "DeleteAliases": Operation(Input, artifacts.remove_aliases, writes=True),
    "ClientIDMapping": Operation(versions.ClientId, versions.client_id),
    "ArtifactMembershipByName": Operation(versions.Which, versions.by_name),
    "ArtifactType": Operation(versions.Which, versions.kind_of),
    "UpdateArtifact": Operation(Input, versions.change, writes=True),
    "ArtifactByName": Operation(versions.Which, versions.named),
    "ArtifactByID": Operation(versions.Which, versions.by_id),
    "ArtifactManifest": Operation(versions.Which, versions.manifest),
    "FetchArtifactManifest": Operation(versions.Which, versions.manifest),
    "ArtifactFileURLsByManifestEntries": Operation(versions.Which, versions.entries),
    "ArtifactMembershipFiles": Operation(versions.Which, versions.file_list),
    "GetArtifactFileUrls": Operation(versions.Which, versions.file_list_by_id),
    "ArtifactFileUrls": Operation(versions.Which, versions.file_list_by_id),
    "ArtifactCollectionMembershipFileUrls": Operation(versions.Which, versions.file_list),
    "GetArtifactMembershipFileUrls": Operation(versions.Which, versions.file_list),
    "ProjectArtifacts": Operation(versions.Which, versions.every),
    "RunOutputArtifacts": Operation(versions.Which, versions.logged),
    "RunInputArtifacts": Operation(versions.Which, versions.used),
}
