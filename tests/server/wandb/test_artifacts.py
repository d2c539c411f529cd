"""Artifacts, logged, used and downloaded by W&B's own client."""

from __future__ import annotations

import json

WORK = """
import json, pathlib, wandb
found = {}
for number in range(2):
    pathlib.Path("same.txt").write_text("same")
    pathlib.Path("model.bin").write_bytes(b"weights %d" % number)
    with wandb.init(project="kept", id=f"w{number}") as run:
        model = wandb.Artifact("model", type="model", metadata={"acc": number}, description="d")
        model.add_file("same.txt")
        model.add_file("model.bin", name="deep/model.bin")
        run.log_artifact(model, aliases=["best"] if number == 0 else [])
        model.wait()
        run.log({"t": wandb.Table(columns=["x"], data=[[number]])})
with wandb.init(project="kept", id="reader") as run:
    used = run.use_artifact("model:latest")
    where = pathlib.Path(used.download())
    found["latest"] = (used.version, (where / "deep/model.bin").read_text(), (where / "same.txt").read_text())
    first = run.use_artifact("model:best", type="model")
    found["best"] = (first.version, first.metadata, first.description, first.type, sorted(first.aliases))
    found["entry"] = pathlib.Path(first.get_entry("deep/model.bin").download()).read_text()
    found["other"] = (pathlib.Path(run.use_artifact("model:v0").download(root="v0")) / "deep/model.bin").read_text()
api = wandb.Api()
second = api.artifact("luthier/kept/model:v1")
second.aliases.append("best")
second.save()
found["moved"] = (api.artifact("kept/model:best").version, sorted(api.artifact("kept/model:v0").aliases))
found["versions"] = [each.version for each in api.artifacts("model", "luthier/kept/model")]
found["logged"] = [each.name for each in api.run("luthier/kept/w1").logged_artifacts() if each.type == "model"]
found["used"] = sorted(each.name for each in api.run("luthier/kept/reader").used_artifacts())
try:
    api.artifact("kept/nothere:v0")
except Exception as error:
    found["missing"] = type(error).__name__
print("FOUND" + json.dumps(found))
"""


def test_artifacts_are_logged_used_and_downloaded(place):
    printed = place.script(WORK)
    found = json.loads(printed.partition("FOUND")[2].splitlines()[0])
    assert found["latest"] == ["v1", "weights 1", "same"]
    assert found["best"][:4] == ["v0", {"acc": 0}, "d", "model"]
    assert "best" in found["best"][4] and "latest" not in found["best"][4]
    assert (found["entry"], found["other"]) == ("weights 0", "weights 0")
    assert found["moved"][0] == "v1" and "best" not in found["moved"][1]
    assert sorted(found["versions"]) == ["v0", "v1"]
    assert (found["logged"], found["used"]) == (["model:v1"], ["model:v0", "model:v1"])
    assert found["missing"]
    kept = [file["path"] for file in place.get("/runs/w1/files")]
    assert not any(path.startswith("/") or ".." in path for path in kept)
