from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from distributed import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """One cluster for all tests of a session: a worker that is a process; what a test adds is removed by it."""
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=True, resources={"GPU": 2}, dashboard_address=":0"
    ) as made:
        yield made
