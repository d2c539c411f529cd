"""Which operation of W&B's client is answered by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from luthier.server.wandb import agents, buckets, listing, places, sweeps, uploads, viewer
from luthier.server.wandb.asked import Asked


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
    "UpsertBucket": Operation(buckets.UpsertBucket, buckets.upsert, writes=True),
    "RunResumeStatus": Operation(buckets.RunResumeStatus, buckets.resume_status),
    "CreateRunFiles": Operation(uploads.CreateRunFiles, uploads.create_files, writes=True),
    "UpsertSweep": Operation(sweeps.UpsertSweep, sweeps.upsert, writes=True),
    "UpsertSweepState": Operation(sweeps.State, sweeps.steer, writes=True),
    "SweepWithRuns": Operation(sweeps.OneSweep, sweeps.with_runs),
    "GetSweepState": Operation(sweeps.OneSweep, sweeps.state),
    "GetSweep": Operation(sweeps.OneSweep, sweeps.state),
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
    "RunHistoryKeys": Operation(listing.One, listing.history_keys),
    "RunFiles": Operation(listing.One, listing.file_list),
    "StopRun": Operation(listing.ById, listing.stop, writes=True),
    "GetProject": Operation(places.Named, places.project),
    "IsProjectReadOnly": Operation(places.Named, places.project),
    "GetProjects": Operation(places.Named, places.every),
    "CreateProject": Operation(places.CreateProject, places.create, writes=True),
    "GetSweeps": Operation(places.Named, places.every_sweep),
}
