"""Comet's offline archives, read back."""

from __future__ import annotations

import glob
import json
import os
import pickle
import sys
import zipfile
from typing import Any

import numpy as np
import pytest

from luthier import tune
from luthier.air.integrations.comet import CometLoggerCallback
from luthier.core.errors import BadArgumentType, MissingLibrary

pytestmark = pytest.mark.filterwarnings("ignore")  # Comet's own


def archives(folder):
    """Return the archives: by experiment's key and in the order of their making, what they hold."""
    found: dict[str, list[Any]] = {}
    for path in sorted(glob.glob(f"{folder}/*.zip"), key=os.path.getmtime):
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("experiment.json"))
            messages = [json.loads(line) for line in archive.read("messages.json").splitlines()]
            uploads = told(messages, "file_upload")
            files = {up["additional_params"]["fileName"]: archive.read(up["file_path"]) for up in uploads}
        found.setdefault(about["offline_id"], []).append((about, messages, files))
    return found


def told(messages, kind, inner=None):
    payloads = [message["payload"] for message in messages if message["type"] == kind]
    return payloads if inner is None else [payload[inner] for payload in payloads]


def metric(messages, name):
    found = told(messages, "metric_msg", "metric")
    return [(point["step"], point["metricValue"]) for point in found if point["metricName"] == name]


def others(messages):
    return {payload["key"]: payload["value"] for payload in told(messages, "log_other")}


def parameters(messages):
    found = told(messages, "parameter_msg", "param")
    return {param["paramName"]: param["paramValue"] for param in found if param["source"] == "manual"}


def test_archives_hold_it_all_and_a_restored_experiment_goes_on(tmp_path):
    def train(config):
        checkpoint = tune.get_checkpoint()
        for step in range(1 if checkpoint is None else 3, 5):
            if step == 3 and config["lr"] == 0.2 and not (tmp_path / "mended").exists():
                raise ValueError("not yet")
            os.makedirs(tmp_path / "state", exist_ok=True)
            (tmp_path / "state" / "weights").write_text(f"{step}")
            saved = tune.Checkpoint(tmp_path / "state") if step == 2 else None
            tune.report({"loss": {"train": step * config["lr"]}, "text": "no metric"}, checkpoint=saved)

    callback = CometLoggerCallback(
        online=False,
        tags=["red"],
        offline_directory=str(tmp_path / "comet"),
        project_name="digits",
        save_checkpoints=True,
        api_key="s3cretkey",
    )
    assert b"s3cretkey" not in pickle.dumps(callback)
    run = tune.RunConfig(name="e", storage_path=str(tmp_path), executor="inline", verbose=0, callbacks=[callback])
    space = {"lr": tune.grid_search([0.1, 0.2]), "net": {"layers": [3, 4]}}
    tune.Tuner(train, param_space=space, run_config=run).fit()
    first = archives(tmp_path / "comet")
    assert len(first) == 2 and all(len(parts) == 1 for parts in first.values())
    by_lr = {}
    for key, [(about, messages, files)] in first.items():
        lr = float(parameters(messages)["lr"])
        by_lr[lr] = key
        assert about["project_name"] == "digits" and about["tags"] == ["red"]
        assert parameters(messages)["net/layers"] == "[3, 4]"
        steps = range(1, 5) if lr == 0.1 else range(1, 3)
        assert metric(messages, "loss/train") == [(step, pytest.approx(step * lr)) for step in steps]
        assert others(messages)["status"] == ("finished" if lr == 0.1 else "failed")
        assert others(messages)["Name"].startswith("train_") and metric(messages, "text") == []
        assert metric(messages, "pid") == []
        assert files["checkpoint_000000/weights"] == b"2"
    (tmp_path / "mended").touch()
    tune.Tuner.restore(str(tmp_path / "e"), train, resume_errored=True).fit()
    again = archives(tmp_path / "comet")
    assert again.keys() == first.keys() and len(again[by_lr[0.1]]) == 1
    about, messages, _ = again[by_lr[0.2]][1]
    assert about["resume_strategy"] == "get"
    assert metric(messages, "loss/train") == [(3, pytest.approx(0.6)), (4, pytest.approx(0.8))]
    assert others(messages)["status"] == "finished"
    for folder, _, names in os.walk(tmp_path / "e"):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                assert b"s3cretkey" not in file.read(), name


def test_a_further_attempt_with_arrays_and_odd_texts(tmp_path):
    def train(config):
        tune.report({"loss": 1, "a\udc80": 2})
        if not (tmp_path / "again").exists():
            (tmp_path / "again").touch()
            raise ValueError("as planned")

    callback = CometLoggerCallback(online=False, offline_directory=str(tmp_path / "comet"))
    run = tune.RunConfig(
        name="e", storage_path=str(tmp_path), executor="inline", verbose=0, callbacks=[callback],
        failure_config=tune.FailureConfig(max_failures=1),
    )  # fmt: skip
    space = {"array": np.arange(3), "huge": 1 << 80, "text": "a\udc80"}
    grid = tune.Tuner(train, param_space=space, run_config=run).fit()
    assert not grid.errors and callback._clerk is None
    ((_, messages, _),) = next(iter(archives(tmp_path / "comet").values()))
    assert metric(messages, "loss") == [(1, 1)] * 2 and metric(messages, "a\\udc80") == [(1, 2)] * 2
    assert parameters(messages) == {"array": "[0 1 2]", "huge": str(1 << 80), "text": "a\\udc80"}


def test_refusals(monkeypatch):
    with pytest.raises(BadArgumentType, match="tags='red'"):
        CometLoggerCallback(tags="red")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "comet_ml", None)
    with pytest.raises(MissingLibrary, match=r"CometLoggerCallback needs comet_ml: pip install 'luthier\[comet\]'"):
        CometLoggerCallback()
