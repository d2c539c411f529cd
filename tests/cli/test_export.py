"""luthier export and show --output: every kind of file holds the same rows."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from luthier import tune
from luthier.callbacks.files import result_files
from luthier.core.terms import Status
from luthier.store.jsonl import JsonlStore
from luthier.tune.past import Past
from luthier.tune.result_grid import ResultGrid
from tests.callbacks.story import TRACEBACK, Story
from tests.cli.test_commands import run


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("results") / "quick"
    path.mkdir()
    story = Story(path, *result_files(path))
    first = story.start(0, {"lr": 0.5, "model": {"layers": (1, 2), "path": Path("x")}})
    second = story.start(1, {"lr": 1, "model": {"layers": "two"}})
    story.report(first, loss=2.0, tags=[1, 2])
    story.report(second, loss=math.nan, late="\ud800 lone")
    story.again(second, {"lr": 2, "model": {"layers": "two"}})
    story.report(second, loss=math.inf, tags=["a"], big=1 << 80)
    story.report(first, "checkpoint_000000", loss=1.0)
    story.end(first)
    story.end(second, Status.FAILED, TRACEBACK)
    story.close()
    return story.save()


def rows_in(path: Path) -> list[dict[str, Any]]:
    match path.suffix:
        case ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        case ".json":
            found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
            return found
        case ".jsonl":
            return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        case _:
            import pyarrow.parquet as pq

            return list(pq.read_table(path).to_pylist())


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_all_results(experiment, tmp_path, kind):
    target = tmp_path / f"all.{kind}"
    assert f"4 results in {target}" in run("export", experiment, target, "--history")
    rows = rows_in(target)
    assert [row["trial_id"][-1] for row in rows] == ["0", "1", "1", "0"]
    assert [int(row["attempt"]) for row in rows] == [1, 1, 2, 1]
    assert [str(float(row["loss"])) for row in rows] == ["2.0", "nan", "inf", "1.0"]
    assert [float(row["config/lr"]) for row in rows] == [0.5, 1, 2, 0.5]  # what an attempt was launched with
    assert rows[3]["checkpoint"] == "f_x_00000/checkpoint_000000"
    assert not rows[0]["checkpoint"]
    assert str(rows[2]["big"]) == str(1 << 80)
    assert "lone" in rows[1]["late"]
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_trials(experiment, tmp_path, kind):
    target, other = tmp_path / f"trials.{kind}", tmp_path / f"shown.{kind.upper()}"
    assert f"2 trials in {target}" in run("export", experiment, target)
    rows = rows_in(target)
    assert [(row["trial"], row["status"]) for row in rows] == [("f_x_00000", "TERMINATED"), ("f_x_00001", "ERROR")]
    assert int(rows[0]["reports"]) == 2
    run("show", experiment, "--output", other, "--filter", "status == ERROR")
    found = rows_in(other.rename(tmp_path / f"shown.{kind}"))
    assert [row["trial"] for row in found] == ["f_x_00001"]


def test_an_experiment_without_results(tmp_path):
    Story(tmp_path / "empty").save()
    for kind in ("csv", "json", "jsonl", "parquet"):
        for options in ([], ["--history"]):
            run("export", tmp_path / "empty", tmp_path / f"x.{kind}", *options)
    assert json.loads((tmp_path / "x.json").read_text()) == []


def test_while_it_runs(experiment, tmp_path):
    with JsonlStore(experiment):
        run("export", experiment, tmp_path / "x.csv", "--history")
    assert len(rows_in(tmp_path / "x.csv")) == 4


def test_bad_targets(experiment, tmp_path, monkeypatch):
    assert ".json, .jsonl or .parquet" in run("export", experiment, tmp_path / "x.xlsx", code=2)
    assert "cannot be written" in run("export", experiment, tmp_path / "no" / "x.csv", code=2)
    assert "no experiment" in run("export", tmp_path, tmp_path / "x.csv", "--history", code=2)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    text = run("export", experiment, tmp_path / "x.parquet", code=2)
    assert "pip install 'luthier[parquet]'" in text
    text = run("show", experiment, "--output", tmp_path / "x.parquet", code=2)
    assert "pip install 'luthier[parquet]'" in text
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_log_leaves_no_file(tmp_path):
    story = Story(tmp_path / "broken")
    story.report(story.start(0), loss=1.0)
    story.report("x_00000", loss=2.0)
    (segment,) = (story.save() / "events").iterdir()
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:-1], b"{}\n", lines[-1]]))
    text = run("export", story.directory, tmp_path / "x.jsonl", "--history", code=2)
    assert "not a record" in text
    assert not (tmp_path / "x.jsonl").exists()


def test_the_grids_table_goes_into_any_file_that_pandas_writes(tmp_path):
    story = Story(tmp_path / "quick")
    for number in range(3):
        story.report(story.start(number, {"lr": 0.1 * number, "act": "relu"}), loss=float(number), eval={"acc": 0.5})
    past = Past(story.save())
    table = ResultGrid(past.directory, past.experiment, past.history).get_dataframe()
    table.to_parquet(tmp_path / "x.parquet")
    table.to_csv(tmp_path / "x.csv", index=False)
    table.to_json(tmp_path / "x.json", orient="records")
    for read in (
        pd.read_parquet(tmp_path / "x.parquet"),
        pd.read_csv(tmp_path / "x.csv"),
        pd.read_json(tmp_path / "x.json"),
    ):
        assert list(read["loss"]) == [0.0, 1.0, 2.0]
        assert list(read["eval/acc"]) == [0.5] * 3
    assert len(tune.ExperimentAnalysis(story.directory).best_dataframe) == 1
