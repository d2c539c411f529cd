from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import ray

from luthier.core import events as ev
from luthier.core.terms import Outcome, Status
from luthier.execution.ray.executor import RayExecutor
from luthier.testing.rig import Rig
from luthier.worker.bundles import PlacementGroupFactory
from luthier.worker.parameters import with_parameters
from luthier.worker.resources import with_resources
from luthier.worker.session import report

if TYPE_CHECKING:
    from pathlib import Path

    from luthier.core.terms import Config


def drive(trainable: Any, tmp_path: Path, configs: list[Any], **options: Any) -> Rig:
    return Rig(RayExecutor(trainable, experiment_dir=tmp_path), tmp_path, configs, **options).run()


def test_bundles_are_the_trials_own(cluster: Any, tmp_path: Path):
    # Both CPUs of the cluster are the trial's: what it starts itself finds room in its own bundles, or nowhere.
    @ray.remote(num_cpus=1)
    def part(x: int) -> int:
        return x + 1

    def trainable(config: Config) -> None:
        group = ray.util.get_current_placement_group()
        report({"bundles": group.bundle_count, "part": ray.get(part.remote(1), timeout=20)})

    asks = PlacementGroupFactory([{"CPU": 1}, {"cpu": 1}], strategy="PACK")
    rig = drive(with_resources(trainable, asks), tmp_path, [{}, {}], request=dict(asks))
    assert [(rig.reports(n)[0]["bundles"], rig.reports(n)[0]["part"]) for n in range(2)] == [(2, 2)] * 2
    assert {e.worker for n in range(2) for e in rig.of(n, ev.Launched)} == {"ray"}
    groups = ray.util.placement_group_table().values()
    assert {group["state"] for group in groups} == {"REMOVED"}


def test_bundles_are_spread_over_nodes(cluster: Any, tmp_path: Path):
    @ray.remote(num_cpus=1)
    def where() -> str:
        return str(ray.get_runtime_context().get_node_id())

    def trainable(config: Config) -> None:
        report({"here": ray.get_runtime_context().get_node_id(), "there": ray.get(where.remote(), timeout=20)})

    asks = PlacementGroupFactory([{"CPU": 1}, {"CPU": 1}], strategy="STRICT_SPREAD")
    node = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    try:
        rig = drive(with_resources(trainable, asks), tmp_path, [{}], request=dict(asks))
    finally:
        cluster.remove_node(node)
    (got,) = rig.reports()
    assert got["here"] != got["there"]


def test_bundles_may_depend_on_the_config(cluster: Any, tmp_path: Path):
    def trainable(config: Config) -> None:
        report({"bundles": ray.util.get_current_placement_group().bundle_count})

    asking = with_resources(trainable, lambda config: PlacementGroupFactory([{}, {"CPU": config["n"]}]))
    rig = drive(asking, tmp_path, [{"n": 2}], request={"cpu": 2.0})
    assert rig.reports()[0]["bundles"] == 1
    assert len(rig.of(0, ev.Launched)[0].worker) > 20  # a node


def test_fractions_of_gpus_are_shared(cluster: Any, tmp_path: Path):
    def trainable(config: Config) -> None:
        import os

        report({"gpus": os.environ["CUDA_VISIBLE_DEVICES"]})

    rig = drive(trainable, tmp_path, [{}] * 3, request={"gpu": 0.5})
    assert {rig.reports(n)[0]["gpus"] for n in range(3)} <= {"0", "1"}
    rig = drive(trainable, tmp_path / "whole", [{}], request={"gpu": 2.0})
    assert sorted(rig.reports()[0]["gpus"].split(",")) == ["0", "1"]
    rig = drive(trainable, tmp_path / "odd", [{}], request={"gpu": 1.5})
    assert rig.exited().outcome is Outcome.ERROR and "1.5" in rig.exited().error
    assert rig.trial(0).status is Status.FAILED


def test_large_parameters_go_through_the_object_store(cluster: Any, tmp_path: Path):
    def trainable(config: Config, table: Any) -> None:
        report({"sum": float(table.sum()), "writeable": table.flags.writeable, "owned": table.flags.owndata})

    table = np.arange(1_000_000.0)
    given = with_parameters(trainable, table=table)
    rig = drive(given, tmp_path, [{}, {}])
    for n in range(2):
        (got,) = rig.reports(n)
        assert got["sum"] == float(table.sum())
        assert got["writeable"] is got["owned"] is False  # in shared memory
    assert given._parcel._path is None  # no file was written
