"""``wandb.Api()``: projects, runs, sweeps, histories and files, read by W&B's own client."""

from __future__ import annotations

import json

READ = """
import json, wandb
for number, loss in enumerate([3.0, 1.0, 2.0]):
    with wandb.init(project="api", id=f"r{number}", config={"lr": number}, tags=["t"], group="g") as run:
        for step in range(4):
            run.log({"loss": loss + step, "step": step})
        if number == 0:
            open("kept.txt", "w").write("kept bytes")
            run.save("kept.txt")
api = wandb.Api()
found = {"projects": [p.name for p in api.projects()]}
runs = api.runs("luthier/api", order="-summary_metrics.loss", per_page=2)
found["all"] = [(run.id, run.state, run.summary["loss"], run.config["lr"]) for run in runs]
found["length"] = len(runs)
wish = {"$and": [{"config.lr": {"$gte": 1}}, {"tags": {"$in": ["t"]}}, {"state": "finished"}]}
found["filtered"] = [run.id for run in api.runs("luthier/api", filters=wish)]
found["named"] = [run.id for run in api.runs("luthier/api", filters={"display_name": {"$regex": "^run-[13]$"}})]
run = api.run("luthier/api/r0")
found["run"] = (run.name, run.group, list(run.tags))
found["sampled"] = run.history(keys=["loss"], pandas=False)
found["history"] = [row["loss"] for row in run.history(pandas=False)]
found["scan"] = [row["loss"] for row in run.scan_history()]
found["scan_of_some"] = [dict(row) for row in run.scan_history(keys=["loss"], page_size=3, min_step=1)]
found["files"] = sorted(file.name for file in run.files())
found["kept"] = run.file("kept.txt").download(root="down").read()
sweep = wandb.sweep({"method": "grid", "metric": {"name": "loss", "goal": "minimize"},
                     "parameters": {"lr": {"values": [1, 2]}}}, project="api")
found["best_of_none"] = api.sweep(f"luthier/api/{sweep}").best_run() is None
found["sweeps"] = [each.id for each in api.project("api", "luthier").sweeps()] == [sweep]
found["state"] = api.sweep(f"luthier/api/{sweep}").state
run.tags.append("more")
run.config["late"] = 5
run.update()
found["updated"] = (api.run("luthier/api/r0").tags, api.run("luthier/api/r0").config)
try:
    api.run("luthier/api/nothere")
except Exception as error:
    found["missing"] = "nothere" in str(error)
print("FOUND" + json.dumps(found))
"""


def test_the_public_interface_reads_what_is_there(place):
    printed = place.script(READ)
    found = json.loads(printed.partition("FOUND")[2].splitlines()[0])
    assert found["projects"] == ["api"]
    assert found["all"] == [["r0", "finished", 6.0, 0], ["r2", "finished", 5.0, 2], ["r1", "finished", 4.0, 1]]
    assert (found["length"], found["filtered"], found["named"]) == (3, ["r1", "r2"], ["r0", "r2"])
    assert found["run"] == ["run-1", "g", ["t"]]
    assert found["sampled"] == [{"_step": i, "loss": 3.0 + i} for i in range(4)]
    assert found["history"] == found["scan"] == [3.0, 4.0, 5.0, 6.0]
    assert found["scan_of_some"] == [{"_step": i, "loss": 3.0 + i} for i in range(1, 4)]
    assert "kept.txt" in found["files"] and found["kept"] == "kept bytes"
    assert (found["best_of_none"], found["sweeps"], found["state"]) == (True, True, "PENDING")
    assert found["updated"] == [["t", "more"], {"lr": 0, "late": 5}]
    assert found["missing"]
