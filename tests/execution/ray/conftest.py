from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import ray
from ray.cluster_utils import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

STORE = 80 << 20  # bytes, the least that Ray takes


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One small cluster for all tests of a session; a node that a test adds is removed by it."""
    quickly = {
        "worker_niceness": 0,
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 300,
        "health_check_failure_threshold": 3,
    }
    head = {
        "num_cpus": 2, "num_gpus": 2, "object_store_memory": STORE, "include_dashboard": False,
        "_system_config": quickly,
    }  # fmt: skip
    made = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=made.address, log_to_driver=False, logging_level=logging.ERROR)
    yield made
    ray.shutdown()
    made.shutdown()
