"""What waits for room is told to Ray, and taken back."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import ray

from luthier.execution.ray.demand import Demand
from luthier.worker.bundles import PlacementGroupFactory
from tests.execution.ray.growing import growing
from tests.execution.ray.test_nodes import add_node

if TYPE_CHECKING:
    from pathlib import Path

HUGE = {"cpu": 1000.0}


def pending() -> Counter[tuple[tuple[tuple[str, float], ...], ...]]:
    """Return the bundles of each group that waits."""
    groups = [g for g in ray.util.placement_group_table().values() if g["state"] == "PENDING"]
    return Counter(tuple(tuple(sorted(g["bundles"][i].items())) for i in sorted(g["bundles"])) for g in groups)


def test_what_waits_is_told_and_taken_back(cluster: Any):
    demand = Demand(ray, None)
    demand.expect([HUGE, HUGE, {"cpu": 1000.0, "extra": 1.0}])
    assert not pending()  # that is for tell()
    demand.tell()
    huge, other = ((("CPU", 1000.0),),), ((("CPU", 1000.0), ("extra", 1.0)),)
    assert pending() == {huge: 2, other: 1}
    demand.expect([HUGE])
    demand.tell()
    assert pending() == {huge: 1}
    demand.withdraw()  # somebody is hired
    assert not pending()
    demand.tell()
    assert pending() == {huge: 1}
    demand.expect([])
    assert not pending() and demand.due == float("inf")


def test_bundles_are_told_as_such(cluster: Any):
    demand = Demand(ray, PlacementGroupFactory([{"CPU": 500}, {"CPU": 600}]))
    demand.expect([{"cpu": 1100.0}])
    demand.tell()
    assert pending() == {((("CPU", 500.0),), (("CPU", 600.0),)): 1}
    demand.expect([])


def test_demand_keeps_no_room(cluster: Any):
    demand = Demand(ray, None)
    demand.expect([{"extra": 1.0}])
    demand.tell()
    node = add_node(cluster)
    try:
        until = time.monotonic() + 20
        while pending():
            assert time.monotonic() < until
            time.sleep(0.05)
        demand.tell()  # it got what it waits for
        groups = ray.util.placement_group_table().values()
        assert {group["state"] for group in groups} == {"REMOVED"}
    finally:
        demand.expect([])
        cluster.remove_node(node)


SCRIPT = """
    import pathlib, sys, time
    import ray
    from luthier import tune

    address, folder = sys.argv[1:]

    def train(config):
        pathlib.Path(folder, f"seen_{config['me']}").touch()
        while not pathlib.Path(folder, f"seen_{3 - config['me']}").exists():
            time.sleep(0.1)
        tune.report({"done": 1})

    ray.init(address, log_to_driver=False)
    assert len(ray.nodes()) == 1
    results = tune.Tuner(
        train,
        param_space={"me": tune.grid_search([1, 2])},
        run_config=tune.RunConfig(executor="ray", storage_path=folder, verbose=0),
    ).fit()
    assert len(results) == 2 and not results.errors
    assert len(ray.nodes()) == 3, ray.nodes()
    assert {g["state"] for g in ray.util.placement_group_table().values()} == {"REMOVED"}
"""


@pytest.mark.slow
def test_a_cluster_grows_as_trials_want(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    with growing(tmp_path, most=2, idle_minutes=5.0) as address:
        done = subprocess.run(
            [sys.executable, str(script), address, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:] + (tmp_path / "ray_start.txt").read_text()[-2000:]
