"""Trials that train by several workers themselves, within what they asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import ray

from luthier.core.terms import Outcome
from luthier.worker.bundles import PlacementGroupFactory
from luthier.worker.resources import with_resources
from luthier.worker.session import report
from tests.execution.ray.test_placement import drive

if TYPE_CHECKING:
    from pathlib import Path

    from luthier.core.terms import Config

WORKERS = 2


def test_a_trial_that_starts_workers_has_them_in_its_bundles(cluster: Any, tmp_path: Path):
    class Worker:
        def __init__(self, rank: int) -> None:
            self.rank = rank

        def learn(self, weight: float) -> tuple[float, str, str]:
            group = ray.util.get_current_placement_group()
            return weight + self.rank + 1, ray.get_runtime_context().get_node_id(), group.id.hex()

    def trainable(config: Config) -> None:
        workers = [ray.remote(num_cpus=1)(Worker).remote(rank) for rank in range(WORKERS)]
        group, weight = ray.util.get_current_placement_group().id.hex(), float(config["start"])
        for _ in range(2):
            told = ray.get([worker.learn.remote(weight) for worker in workers], timeout=60)
            weight = sum(weight for weight, _, _ in told) / WORKERS
            nodes = len({node for _, node, _ in told})
            report({"weight": weight, "nodes": nodes, "own": {g for _, _, g in told} == {group}, "group": group})

    # The trial itself takes no CPU; both trials together want twice what the cluster has, so they take turns.
    asks = PlacementGroupFactory([{}, {"CPU": 1}, {"CPU": 1}], strategy="STRICT_SPREAD")
    node = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    try:
        rig = drive(with_resources(trainable, asks), tmp_path, [{"start": 0}, {"start": 10}], request=dict(asks))
    finally:
        cluster.remove_node(node)
    for number, start in enumerate((0, 10)):
        assert [m["weight"] for m in rig.reports(number)] == [start + 1.5, start + 3.0]
        assert all(m["nodes"] == 2 and m["own"] for m in rig.reports(number))
    assert rig.reports(0)[0]["group"] != rig.reports(1)[0]["group"]
    groups = ray.util.placement_group_table().values()
    assert {group["state"] for group in groups} == {"REMOVED"}  # and with them all that ran in them


RANK = """
    import os, torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    torch.manual_seed(dist.get_rank())
    gradient = torch.full((3,), float(dist.get_rank() + 1))
    dist.all_reduce(gradient)
    if dist.get_rank() == 0:
        print(gradient.tolist(), os.environ["OMP_NUM_THREADS"], flush=True)
    dist.destroy_process_group()
"""


def test_a_trial_that_starts_a_process_group_of_torch(cluster: Any, tmp_path: Path):
    def trainable(config: Config) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(WORKERS)}
        ranks = [
            subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(RANK)],
                env={**os.environ, **own, "RANK": str(rank)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(WORKERS)
        ]
        said = [rank.communicate(timeout=60)[0] for rank in ranks]
        assert [rank.returncode for rank in ranks] == [0] * WORKERS
        here = ray.get_runtime_context().get_assigned_resources()
        report({"said": said[0].strip(), "cpus": here["CPU"]})

    rig = drive(trainable, tmp_path, [{}], request={"cpu": float(WORKERS)})
    assert rig.exited().outcome is Outcome.FINISHED, rig.exited().error
    assert rig.reports() and rig.reports()[0]["said"] == "[3.0, 3.0, 3.0] 2"
    assert rig.reports()[0]["cpus"] == 2.0
