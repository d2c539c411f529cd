from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import ray

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """One small cluster for all tests of a session."""
    ray.init(
        address="local", num_cpus=2, num_gpus=2, object_store_memory=80 << 20, include_dashboard=False,
        log_to_driver=False, logging_level="ERROR",
    )  # fmt: skip
    yield
    ray.shutdown()
