"""W&B's own client, with runs of no sweep: what it logs is all there."""

from __future__ import annotations

import pytest

from tests.server.wandb.conftest import Place, wait_for

TRAIN = """
import sys, pathlib, numpy, wandb
config = {"lr": 0.1, "net": {"depth": 2}}
run = wandb.init(project="digits", id="first", config=config, tags=["a"], notes="n", group="g")
print("hello out")
print("hello err", file=sys.stderr)
for step in range(20):
    wandb.log({"loss": 1 / (step + 1), "odd": float("nan") if step == 3 else step})
wandb.log({"shown": wandb.Table(columns=["x", "y"], data=[[1, 2], [3, 4]])})
run.summary["best"] = 0.5
wandb.config.update({"late": True})
wandb.log({"seen": wandb.Image(numpy.zeros((4, 4, 3), dtype="uint8"))})
pathlib.Path("kept.txt").write_text("kept bytes")
wandb.save("kept.txt")
wandb.finish()
"""


def test_all_that_a_run_logs_is_there(place):
    printed = place.script(TRAIN)
    assert f"{place.url}/luthier/digits/runs/first" in printed
    run = place.get("/runs/first")
    assert (run["project"], run["state"], run["exit_code"], run["rows"]) == ("digits", "finished", 0, 22)
    assert (run["tags"], run["notes"], run["group"]) == (["a"], "n", "g")
    assert run["config"] == {"lr": 0.1, "net/depth": 2, "late": True}
    assert run["summary"]["best"] == 0.5 and run["summary"]["loss"] == 0.05
    history = place.get("/runs/first/history", limit=100)
    assert "NaN" in str(history) and "0.05" in str(history)
    lines = [(line["stream"], line["text"]) for line in place.get("/runs/first/output")["items"]]
    assert ("out", "hello out") in lines and ("err", "hello err") in lines
    files = {file["path"]: file["size"] for file in place.get("/runs/first/files")}
    assert files["kept.txt"] == len("kept bytes")
    assert {"config.yaml", "wandb-metadata.json", "wandb-summary.json", "output.log"} <= files.keys()
    assert all(any(path.startswith(f"media/{kind}/") for path in files) for kind in ("table", "images"))


def test_a_key_is_tried_when_somebody_logs_in(place):
    options = ("--verify", "--host", place.url)
    place.command("login", *options, place.key)
    wrong = place.start("-m", "wandb", "login", *options, "x" * 40)
    assert "this is no key, or it was revoked" in place.ended(wrong, 1)


RESUME = """
import os, wandb
def run(log, **more):
    with wandb.init(project="p", **more) as run:
        for value in log:
            run.log({"loss": value})
def refused(**more):
    try:
        wandb.init(project="p", **more)
    except wandb.errors.UsageError as error:
        print("REFUSED", more)
run([3, 2, 1], id="r", config={"a": 1})
run([0.5, 0.4], id="r", resume="must")
refused(id="r", resume="never")
refused(id="nothere", resume="must")
run([7], id="again", resume="allow")
run([7, 8], id="over")
run([9], id="over")
run = wandb.init(project="p", resume="auto")
run.log({"loss": 5})
os._exit(3)
"""
AUTO = """
import wandb
run = wandb.init(project="p", resume="auto")
run.log({"loss": 4})
print("AUTO", run.id)
"""


def test_runs_are_resumed(place):
    printed = place.ended(place.start("-c", RESUME), 3)
    assert printed.count("REFUSED") == 2, printed
    rows = place.get("/runs/r/history")["items"]
    assert [(row["_step"], row["loss"]) for row in rows] == [(0, 3), (1, 2), (2, 1), (3, 0.5), (4, 0.4)]
    run = place.get("/runs/r")
    assert (run["state"], run["config"], run["attempt"]) == ("finished", {"a": 1}, 1)
    assert [(row["_attempt"], row["loss"]) for row in place.get("/runs/over/history")["items"]] == [
        (1, 7),
        (1, 8),
        (2, 9),
    ]
    assert place.get("/runs/over")["attempt"] == 2
    assert place.get("/runs/again")["rows"] == 1
    printed = place.ended(place.start("-c", AUTO))
    name = printed.partition("AUTO ")[2].split()[0]
    assert place.get(f"/runs/{name}")["state"] == "finished"
    assert [row["loss"] for row in place.get(f"/runs/{name}/history")["items"]][-1] == 4


OFFLINE = """
import wandb
run = wandb.init(project="p", id="far", mode="offline", config={"lr": 1})
for value in (3, 2, 1):
    run.log({"loss": value})
run.finish()
"""


def test_an_offline_run_is_synced(place):
    place.script(OFFLINE)
    (found,) = (place.directory / "wandb").glob("offline-run-*")
    place.command("sync", str(found))
    run = place.get("/runs/far")
    assert (run["state"], run["rows"], run["config"]) == ("finished", 3, {"lr": 1})


OUTLIVES = """
import time, wandb
run = wandb.init(project="p", id="long")
for step in range(40):
    run.log({"step": step})
    time.sleep(0.1)
run.finish()
"""


def test_a_run_outlives_a_server_that_goes_and_comes_back(tmp_path):
    place = Place(tmp_path)
    with place.serving():
        running = place.start("-c", OUTLIVES)
        wait_for(lambda: place.post("/graphql", operationName="Viewer").is_success and rows(place, "long") > 3)
    with place.serving():
        place.ended(running)
        found = place.get("/runs/long/history", limit=100)["items"]
        assert [row["step"] for row in found] == list(range(40))


@pytest.mark.slow
def test_a_run_by_itself_that_is_stopped_tells_all_and_ends(place):
    """The client looks every 15 s for what it was told, and raises KeyboardInterrupt in the script."""
    running = place.start("-c", OUTLIVES.replace("range(40)", "range(600)"))
    wait_for(lambda: rows(place, "long") > 3)
    assert place.post("/api/v1/runs/long/stop").is_success
    printed = running.communicate(timeout=60)[0]
    assert running.returncode != 0 and "KeyboardInterrupt" in printed
    run = place.get("/runs/long")
    assert (run["state"], run["exit_code"]) == ("stopped", 255) and run["reason"].startswith("stopped by ")
    assert run["rows"] == run["summary"]["step"] + 1 < 600


def rows(place, run):
    try:
        return place.get(f"/runs/{run}")["rows"]
    except AssertionError:
        return 0
