"""The load that the service is measured under: that simulated agents do what agents do."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.herd import Herd
from tests.server.live import listening


@pytest.mark.parametrize("kind", ["heartbeat", "flood", "churn"])
def test_simulated_agents_are_taken_for_real_ones(tmp_path, kind):
    with listening(f"sqlite:///{tmp_path}/server.db", tmp_path / "files") as url:
        herd = Herd(int(url.rpartition(":")[2]), agents=4, rows=3, metrics=2)
        found = asyncio.run(herd.run(kind, 0.5))
    assert found["errors"] == 0 and found["exchanges"] >= 2
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
    assert (found["rows_per_s"] > 0) == (kind != "churn")
