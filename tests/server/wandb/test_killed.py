"""A server that is killed at once, again and again, while W&B's own clients log to it: nothing of theirs is lost."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import sqlalchemy as sa

from luthier.server.database import connect
from luthier.server.tables import history, output, runs
from luthier.store.values import from_json
from tests.server.wandb.conftest import Place, wait_for
from tests.server.wandb.mortal import Mortal

WORK = """
import os, sys, time, wandb
rows = int(os.environ["ROWS"])
run = wandb.init(project="killed", id=sys.argv[1] if len(sys.argv) > 1 and "=" not in sys.argv[1] else None)
run.config["who"] = run.id
for step in range(rows):
    run.log({"loss": step / 2, "who": run.id, "odd": float("nan") if step == 3 else -step})
    print("line", step)
    time.sleep(float(os.environ["PAUSE"]))
    if step == rows // 2:
        run.config["late"] = True
with open(f"{run.id}.txt", "w") as file:
    file.write(run.id * 100)
run.save(f"{run.id}.txt")
run.summary["best"] = rows
run.finish()
"""
GRID = "program: work.py\nproject: killed\nmethod: grid\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n"


def lived_through(place: Place, alone: int, kills: int, *, sweep: bool, rows: int, pause: float) -> None:
    """Have *alone* runs by themselves, and a sweep's two, log *rows* each while the server is killed *kills* times."""
    (place.directory / "work.py").write_text(WORK)
    mortal, engine = Mortal(place), connect(place.database)
    try:
        mortal.back()
        more = {"ROWS": str(rows), "PAUSE": str(pause)}
        clients = [place.start("work.py", f"r{number}", **more) for number in range(alone)]
        if sweep:
            made = place.post("/api/v1/sweeps", config=GRID).json()["sweep"]
            clients += [place.start("-m", "wandb", "agent", "--count", "1", made, **more) for _ in range(2)]
        for number in range(kills):
            wanted = len(clients) * rows * (number + 1) // (kills + 2)
            wait_for(lambda wanted=wanted: len(_kept(engine, history)) >= wanted, 100)
            mortal.kill()
            before = len(_kept(engine, history))
            assert before < len(clients) * rows, "they were to be in the middle"
            mortal.back()
        for client in clients:
            print(place.ended(client))
        _reckon(place, engine, len(clients), rows)
    finally:
        place.close()
        mortal.member.kill()
        engine.dispose()


def _kept(engine: sa.Engine, table: sa.Table) -> list[sa.Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


def _reckon(place: Place, engine: sa.Engine, count: int, rows: int) -> None:
    found = _kept(engine, runs)
    assert [(run.state, run.exit_code, run.attempt, run.rows) for run in found] == [("finished", 0, 1, rows)] * count
    logged: dict[str, list[Any]] = {run.id: [] for run in found}
    printed: dict[str, list[Any]] = {run.id: [] for run in found}
    for row in sorted(_kept(engine, history), key=lambda row: row.row):
        values = from_json(json.loads(row.metrics))
        assert row.row == values["_step"] and row.attempt == 1
        odd = "nan" if math.isnan(values["odd"]) else values["odd"]
        logged[row.run_id].append((values["loss"], values["who"], odd))
    for line in sorted(_kept(engine, output), key=lambda line: line.line):
        printed[line.run_id] += re.findall(r"line \d+", line.text)
    for run in found:
        wanted = [(step / 2, run.id, "nan" if step == 3 else -step) for step in range(rows)]
        assert logged[run.id] == wanted
        assert printed[run.id] == [f"line {step}" for step in range(rows)]
        told = place.get(f"/runs/{run.id}")
        assert (told["summary"]["best"], told["summary"]["loss"]) == (rows, (rows - 1) / 2)
        assert (told["config"]["who"], told["config"]["late"]) == (run.id, True)
        files = {file["path"]: file["size"] for file in place.get(f"/runs/{run.id}/files")}
        assert files[f"{run.id}.txt"] == len(run.id) * 100
        assert {"config.yaml", "output.log", "wandb-summary.json"} <= files.keys()


def test_a_server_that_is_killed_loses_nothing(tmp_path):
    lived_through(Place(tmp_path), 3, 1, sweep=False, rows=60, pause=0.05)


@pytest.mark.slow
def test_a_server_that_is_killed_again_and_again_loses_nothing(tmp_path, database_url):
    """On SQLite and on PostgreSQL; two of the ten are runs of a sweep, begun by agents."""
    lived_through(Place(tmp_path, database_url), 8, 4, sweep=True, rows=400, pause=0.05)
