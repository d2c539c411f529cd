"""params.json, params.pkl, result.json, progress.csv: Ray Tune's layout, byte for byte the same from the log."""

from __future__ import annotations

import csv
import errno
import json
import logging
import math
import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from luthier.callbacks import csv_table, written
from luthier.callbacks.files import result_files
from luthier.callbacks.rebuild import behind, bring_up_to_date, rebuild
from luthier.callbacks.result_files import ResultFiles
from luthier.callbacks.row_text import RowText, plain
from luthier.core.events import Reported
from luthier.core.terms import Ref, Status, TrialId
from luthier.store.codec import decode, encode
from luthier.store.rows import TrialFacts, result_row
from tests.callbacks.story import NOW, TRACEBACK, Story


@pytest.fixture
def story(tmp_path) -> Story:
    return Story(tmp_path, *result_files(tmp_path))


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "result.json").read_text().splitlines()]


def table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with (path / "progress.csv").open(newline="") as file:
        rows = csv.DictReader(file)
        return list(rows.fieldnames or ()), list(rows)


def test_golden_directory(story):
    trial = story.start(1, {"lr": 0.5, "net": {"layers": [64, 32]}, "act": "relu"})
    story.report(trial, loss=0.25, eval={"acc": 0.5})
    story.report(trial, "checkpoint_000000", loss=0.125, eval={"acc": 0.75})
    story.end(trial)
    story.close()
    folder = story.folder(trial)
    assert sorted(os.listdir(folder)) == ["params.json", "params.pkl", "progress.csv", "result.json"]
    assert (folder / "params.json").read_text() == (
        '{\n  "act": "relu",\n  "lr": 0.5,\n  "net": {\n    "layers": [\n      64,\n      32\n    ]\n  }\n}'
    )
    assert pickle.loads((folder / "params.pkl").read_bytes()) == {
        "lr": 0.5, "net": {"layers": [64, 32]}, "act": "relu",
    }  # fmt: skip
    days = [time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(NOW + i)) for i in (0, 1)]
    config = '"config":{"lr":0.5,"net":{"layers":[64,32]},"act":"relu"}'
    fixed = f'"trial_id":"x_00001","experiment_tag":"1_x",{config}'
    assert (folder / "result.json").read_text() == (
        '{"loss":0.25,"eval":{"acc":0.5},"training_iteration":1,"time_total_s":0.5,"timestamp":1790000000,'
        f'"date":"{days[0]}",{fixed},"checkpoint_dir_name":null}}\n'
        '{"loss":0.125,"eval":{"acc":0.75},"training_iteration":2,"time_total_s":1.0,"timestamp":1790000001,'
        f'"date":"{days[1]}",{fixed},"checkpoint_dir_name":"checkpoint_000000","should_checkpoint":true}}\n'
    )
    assert (folder / "progress.csv").read_text() == (
        "loss,eval/acc,training_iteration,time_total_s,timestamp,date,trial_id,experiment_tag,checkpoint_dir_name,"
        "should_checkpoint\n"
        f"0.25,0.5,1,0.5,1790000000,{days[0]},x_00001,1_x,,\n"
        f"0.125,0.75,2,1.0,1790000001,{days[1]},x_00001,1_x,checkpoint_000000,True\n"
    )


def test_rows_are_held_for_half_a_second_and_written_at_the_end_of_a_trial(story):
    one, other = story.start(1), story.start(2)
    story.tick(NOW)
    story.report(one, loss=1.0)
    story.report(other, loss=2.0)
    story.tick(NOW + 0.4)
    assert not (story.folder(one) / "result.json").exists()
    story.tick(NOW + 0.6)
    assert len(results(story.folder(one))) == len(results(story.folder(other))) == 1
    story.report(one, loss=0.5)
    story.end(one)
    assert len(results(story.folder(one))) == 2
    story.report(other, loss=0.5)
    story.close()
    assert len(results(story.folder(other))) == 2


def test_many_rows_do_not_wait(story):
    trial = story.start(1)
    for i in range(600):
        story.report(trial, loss=float(i))
    assert len(results(story.folder(trial))) >= 500


def test_no_file_stays_open(story):
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for number in range(50):
        story.report(story.start(number), loss=1.0)
    story.tick(NOW + 1)
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after <= before + 1


def test_columns_grow_and_header_is_right_after_resume(tmp_path):
    story = Story(tmp_path, *result_files(tmp_path))
    trial = story.start(1)
    story.report(trial, loss=1.0)
    story.tick(NOW)
    story.report(trial, loss=0.5, acc=0.75)
    story.tick(NOW + 1)
    columns, rows = table(story.folder(trial))
    assert "acc" in columns
    assert [row["acc"] for row in rows] == ["", "0.75"]
    story.close()
    # The next driver: listeners of their own, the files are there.
    story.listeners = list(result_files(tmp_path))
    story.again(trial)
    story.report(trial, acc=1.0, loss=0.25, f1=0.5)
    story.end(trial)
    story.close()
    columns, rows = table(story.folder(trial))
    assert columns.count("loss") == 1
    assert [row["loss"] for row in rows] == ["1.0", "0.5", "0.25"]
    assert [row["acc"] for row in rows] == ["", "0.75", "1.0"]
    assert [row["f1"] for row in rows] == ["", "", "0.5"]


def test_a_column_with_each_report_costs_few_rewrites(story, monkeypatch):
    times = []

    def counting(path):
        times.append(path)
        return written.replacing(path)

    monkeypatch.setattr(csv_table, "replacing", counting)
    monkeypatch.setattr(csv_table, "_SMALL", 100)
    trial = story.start(1)
    for i in range(200):
        story.report(trial, **{"loss": 1.0, f"metric_{i}": i})
        story.tick(NOW + i)
    assert len(times) < 20
    rows = table(story.folder(trial))[1]  # valid at any time
    assert len(rows) == 200
    assert None not in rows[0]  # what DictReader calls cells without a column
    story.end(trial)
    rows = table(story.folder(trial))[1]
    assert [row[f"metric_{i}"] for i, row in enumerate(rows)] == [str(i) for i in range(200)]


def test_nan_and_infinity_are_as_pythons_json_has_them(story):
    trial = story.start(1)
    story.report(trial, loss=math.nan, top=math.inf, deep={"low": [-math.inf, 1.0]}, none=None)
    story.end(trial)
    text = (story.folder(trial) / "result.json").read_text()
    assert '"loss":NaN,"top":Infinity,"deep":{"low":[-Infinity,1.0]},"none":null' in text
    row = table(story.folder(trial))[1][0]
    assert (row["loss"], row["top"], row["none"]) == ("nan", "inf", "")


def test_values_are_quoted(story):
    trial = story.start(1)
    story.report(trial, loss=1.0, note='a "quoted", cell\nof two lines', lone="\ud800")
    story.end(trial)
    row = table(story.folder(trial))[1][0]
    assert row["note"] == 'a "quoted", cell\nof two lines'
    assert results(story.folder(trial))[0]["lone"] == "\ud800"


def test_what_json_cannot_say_is_said_as_text(story):
    config = {"f": test_values_are_quoted, "path": Path("a"), "shape": (1, 2), "by": {1: np.float32(0.5)}}
    trial = story.start(1, config)
    story.report(trial, loss=np.float64(0.5), many=np.arange(3), big=2**70, tag=Path("b"))
    story.end(trial)
    told = json.loads((story.folder(trial) / "params.json").read_text())
    assert told["shape"] == [1, 2]
    assert told["by"] == {"1": 0.5}
    assert told["path"] == "a"
    assert pickle.loads((story.folder(trial) / "params.pkl").read_bytes())["shape"] == (1, 2)
    row = results(story.folder(trial))[0]
    assert (row["loss"], row["many"], row["big"], row["tag"]) == (0.5, [0, 1, 2], 2**70, "b")
    assert table(story.folder(trial))[1][0]["many"] == "[0, 1, 2]"


def test_params_follow_an_exploit(story):
    trial = story.start(1, {"lr": 0.1})
    story.again(trial, {"lr": 0.2})
    story.report(trial, loss=1.0)
    story.close()
    assert json.loads((story.folder(trial) / "params.json").read_text()) == {"lr": 0.2}
    assert results(story.folder(trial))[0]["config"] == {"lr": 0.2}


def test_error_txt_only_where_the_worker_left_none(story):
    dead, raised = story.start(1), story.start(2)
    (story.folder(raised) / "error.txt").write_text(TRACEBACK)
    story.end(dead, Status.FAILED, "killed by SIGSEGV")
    story.end(raised, Status.FAILED, TRACEBACK)
    assert "killed by SIGSEGV" in (story.folder(dead) / "error.txt").read_text()
    assert (story.folder(raised) / "error.txt").read_text() == TRACEBACK


def test_a_result_file_that_somebody_damaged_stops_nothing(story, caplog):
    trial = story.start(1)
    story.report(trial, loss=1.0)
    story.tick(NOW)
    (story.folder(trial) / "result.json").write_bytes(b'{"loss"\n')
    story.report(trial, loss=1.0, acc=1.0)
    story.tick(NOW + 1)
    story.close()
    assert "damaged" in caplog.text
    assert behind(story.directory, story.records) == {trial}


def test_a_directory_that_is_gone_is_made_again(story):
    trial = story.start(1)
    for path in story.folder(trial).iterdir():
        path.unlink()
    story.folder(trial).rmdir()
    story.report(trial, loss=1.0)
    story.end(trial)
    assert len(results(story.folder(trial))) == 1


# -- a full disk -----------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_once_and_made_up_for(story, monkeypatch, caplog):
    trial, other = story.start(1), story.start(2)
    story.report(trial, loss=1.0)
    story.tick(NOW)
    write, left = os.write, [25]

    def full(fd, text):
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part, left[0] = text[: left[0]], 0
        return write(fd, part)

    monkeypatch.setattr(os, "write", full)
    with caplog.at_level(logging.WARNING, "luthier"):
        for i in range(10):
            story.report(trial, loss=0.5, acc=1.0)
            story.report(other, loss=0.5)
            story.tick(NOW + 1 + i)
        story.end(trial)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert str(story.folder(trial) / "result.json") in caplog.text
        monkeypatch.setattr(os, "write", write)
        story.tick(NOW + 20)
    story.close()
    assert caplog.records[-1].levelname == "WARNING"
    assert "complete" in caplog.records[-1].message
    assert len(results(story.folder(trial))) == 11
    assert len(results(story.folder(other))) == 10
    assert [row["acc"] for row in table(story.folder(trial))[1]] == ["", *["1.0"] * 10]
    assert not behind(story.directory, story.records)


def test_a_disk_that_stays_full_leaves_the_files_behind_the_log(tmp_path, monkeypatch, caplog):
    files = ResultFiles(tmp_path)
    story = Story(tmp_path, files)
    trial = story.start(1)
    write = os.write

    def full(fd, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    story.report(trial, loss=1.0)
    story.end(trial)
    story.close()
    assert files.behind == {trial}
    assert "restored" in caplog.text
    monkeypatch.setattr(os, "write", write)
    assert bring_up_to_date(tmp_path, lambda: story.records) == 1
    assert len(results(story.folder(trial))) == 1


# -- from the log ----------------------------------------------------------------------------------------------------

metric = st.one_of(
    st.floats(width=32), st.integers(-5, 2**65), st.text(max_size=3), st.none(), st.booleans(),
    st.lists(st.floats(), max_size=2), st.tuples(st.integers(), st.text(max_size=2)),
    st.dictionaries(st.sampled_from(["p", "q/r"]), st.floats(), max_size=2), st.sets(st.just(1)),
    st.just(np.float32(0.1)), st.just(np.arange(2)),
)  # fmt: skip
step = st.tuples(
    st.sampled_from(["report", "report", "report", "again", "tick", "end"]),
    st.integers(0, 1),
    st.dictionaries(st.sampled_from(["loss", "acc", "note,", "date", "config", "t"]), metric, max_size=4),
    st.booleans(),
)


def files_of(directory: Path) -> dict[str, bytes]:
    names = ("result.json", "progress.csv")
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.name in names}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, max_size=25), small=st.booleans())
def test_rebuilt_files_equal_the_live_ones(steps, small, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(csv_table, "_SMALL", 50 if small else 1 << 16)
    directory, anew = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("anew")
    story = Story(directory, *result_files(directory), goals=())
    trials: list[TrialId | None] = [None, None]
    now, count = NOW, 0
    for what, which, metrics, saves in steps:
        trial = trials[which]
        if trial is None:
            trial = trials[which] = story.start(count, {"x": count, "shape": (1, 2)})
            count += 1
        if what == "report":
            story.report(trial, "checkpoint_000001" if saves else None, **metrics)
        elif what == "again":
            story.again(trial)
        elif what == "tick":
            now += 1
            story.tick(now)
        else:
            story.end(trial)
            trials[which] = None
    story.close()
    log = [decode(encode(record)) for record in story.records]  # as the log has it
    live = files_of(directory)
    assert not behind(directory, log)
    rebuild(anew, log)
    assert files_of(anew) == live
    for path, text in live.items():  # whatever a crash left of them
        (directory / path).write_bytes(text[: len(text) // 2])
    bring_up_to_date(directory, lambda: log)
    assert files_of(directory) == live


@pytest.mark.parametrize("damage", ["cut", "gone", "more", "header"])
def test_files_that_are_behind_are_found(story, damage):
    good, bad = story.start(1), story.start(2)
    for trial in (good, bad):
        story.report(trial, loss=1.0)
        story.report(trial, loss=0.5)
        story.end(trial)
    story.close()
    assert behind(story.directory, story.records) == set()
    result, progress = story.folder(bad) / "result.json", story.folder(bad) / "progress.csv"
    if damage == "cut":
        result.write_bytes(result.read_bytes()[:-3])
    elif damage == "gone":
        progress.unlink()
    elif damage == "more":
        progress.write_bytes(progress.read_bytes() + b"1,2\n")
    else:
        progress.write_bytes(progress.read_bytes().replace(b"loss,", b"less,"))
    assert behind(story.directory, story.records) == {bad}


@given(
    metrics=st.dictionaries(
        st.sampled_from(["loss", "date", "trial_id", "config", "a/b", "timestamp", "should_checkpoint"]), metric
    ),
    checkpoint=st.sampled_from([None, "f/checkpoint_000003", "c:\\f\\checkpoint_000004\\"]),
)
def test_a_line_says_what_the_row_says(metrics, checkpoint):
    config = {"lr": 0.1, "shape": (1, 2)}
    event = Reported(TrialId("t0"), 1, 0, metrics, None if checkpoint is None else Ref(checkpoint))
    line, _ = RowText("t0", config, "0_lr").encode(event, NOW)
    moment = plain(metrics).get("timestamp")
    known = type(moment) in {int, float} and 0 <= moment < 1 << 37
    row = result_row(
        replace(event, metrics=plain(metrics)), TrialFacts(TrialId("t0"), config, "0_lr"), None if known else NOW
    )
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert list(json.loads(line)) == list(row)
    assert repr(json.loads(line)) == repr(json.loads(json.dumps(plain(row))))


def test_rows_that_the_log_lacks_go_and_are_told(story, caplog):
    trial, other = story.start(1), story.start(2)
    for loss in (1.0, 0.5, 0.25):
        story.report(trial, loss=loss)
    story.report(other, loss=0.1)
    story.close()
    shorter = story.records[:-2]  # the last report of each is lost
    assert behind(story.directory, shorter) == {trial, other}
    assert bring_up_to_date(story.directory, lambda: shorter) == 2
    assert "2 results that the log lacks" in caplog.text
    assert [row["loss"] for row in results(story.folder(trial))] == [1.0, 0.5]
    assert not (story.folder(other) / "result.json").exists()
    caplog.clear()
    assert bring_up_to_date(story.directory, lambda: shorter) == 0
    assert caplog.text == ""


def test_a_table_with_cells_of_several_lines_is_counted_by_rows(story):
    trial = story.start(1)
    story.report(trial, note='two\nlines, and a "quote"')
    story.report(trial, note="one")
    story.close()
    assert behind(story.directory, story.records) == set()
    table = story.folder(trial) / "progress.csv"
    whole = table.read_bytes()
    table.write_bytes(whole.replace(b"lines", b"li\nnes"))
    assert behind(story.directory, story.records) == set()
    for damaged in (whole[:-1], whole[: whole.rindex(b"\none") + 1], whole + b"another\n"):
        table.write_bytes(damaged)
        assert behind(story.directory, story.records) == {trial}
