"""The load of W&B's client that the server is measured under: that it is what it says, and that faults are counted."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from benchmarks import ROOT, wandb_server
from benchmarks.measure import environment
from benchmarks.rows import wrong
from benchmarks.served import database, served
from benchmarks.streams import Streams
from luthier.server.database import connect, writing
from luthier.server.tables import history, runs
from tests.server.live import listening

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("every", [0.1, 0.0])
def test_simulated_clients_are_taken_for_real_ones(tmp_path: Path, every: float) -> None:
    url = f"sqlite:///{tmp_path}/server.db"
    with listening(url, tmp_path / "files") as address:
        streams = Streams(int(address.rpartition(":")[2]), "p", clients=3, rate=50, every=every)
        found = asyncio.run(streams.run(0.3))
    told = found["told"]
    assert found["errors"] == 0
    assert found["requests"] == sum(told.values()) // (5 if every else 1) + 3  # and the end of each
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
    assert wrong(url, "p", told) == 0
    engine = connect(url)
    with writing(engine) as connection:
        assert set(connection.execute(sa.select(runs.c.state)).scalars()) == {"finished"}
        one = (history.c.run_id == "client-1", history.c.row == 1)
        connection.execute(sa.update(history).where(*one).values(metrics='{"m0":1.0,"_step":1}'))
        connection.execute(sa.delete(history).where(history.c.run_id == "client-2", history.c.row == 0))
    engine.dispose()
    assert wrong(url, "p", told) == 2  # one that says something else, and one that is gone
    assert wrong(url, "p", {**told, "client-3": 2}) == 4
    assert wrong(url, "p", {**told, "client-0": told["client-0"] - 1}) == 3


def test_runs_of_the_real_client_are_measured(tmp_path: Path) -> None:
    with served("sqlite") as server:
        found = wandb_server.real(server, "p", runs=3, rows=20, processes=2, pace_s=0.01, every="1")
        assert wrong(server.url, "p", {f"run-{i}": 21 for i in range(3)}) == 3
    assert found["wrong"] == 0
    assert found["clients_cpu_s"] > found["imported_cpu_s"] > 0
    assert found["share_begun"] > found["share"] > 0
    assert not [name for name in os.environ if name == "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL"]


def test_the_cpu_of_a_database_counts() -> None:
    with database("postgresql") as url, served("sqlite") as server:
        assert server.database_cpu_s() == 0.0
        server.url = url
        before = server.database_cpu_s()
        engine = connect(url)
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM generate_series(1, 1000000)")
        engine.dispose()
        assert server.database_cpu_s() > before


def test_a_process_that_cannot_log_ends_it() -> None:
    command = [sys.executable, "-m", "benchmarks.sides.wandb_runs", "p", "1", "1", "1", "0"]
    settings = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "short"}
    done = subprocess.run(
        command, cwd=ROOT, env={**environment(), **settings}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "ended with" in done.stderr


def test_the_short_form_measures_what_the_long_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_server, "DATABASES", ("sqlite",))
    monkeypatch.setattr(wandb_server, "installed", lambda _name: False)  # the real client has a test of its own
    found = wandb_server.bench(quick=True)
    assert all(target.met is not False for target in found["targets"] if "errors" in target.what)
    assert {"15 s", "1 s", "0.1 s", "flood", "loaded_mb"} == found["luthier"]["sqlite"].keys()
    json.dumps([target.as_json() for target in found["targets"]])
