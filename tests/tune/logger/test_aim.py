"""Aim's repositories, read back by Aim."""

from __future__ import annotations

import os
import sys

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.tune.logger.aim import AimLoggerCallback

pytestmark = pytest.mark.filterwarnings("ignore")  # Aim's own


def stored(path):
    """Return what the repository holds of each run, by the trial's learning rate."""
    from aim import Repo  # type: ignore[attr-defined, unused-ignore]

    repo = Repo.from_path(str(path))
    found = {}
    for run_hash in repo.list_all_runs():
        tree = repo.request_tree("meta", run_hash, read_only=True).subtree("meta").subtree("chunks").subtree(run_hash)
        run = tree.collect()
        (context,) = run["traces"]
        found[run["attrs"]["hparams"]["lr"]] = (run_hash, run["attrs"], run["traces"][context])
    return found


def test_a_repository_holds_it_all_and_a_restored_experiment_goes_on(tmp_path):
    def train(config):
        checkpoint = tune.get_checkpoint()
        for step in range(1 if checkpoint is None else 3, 5):
            if step == 3 and config["lr"] == 0.2 and not (tmp_path / "mended").exists():
                raise ValueError("not yet")
            os.makedirs(tmp_path / "state", exist_ok=True)
            saved = tune.Checkpoint(tmp_path / "state") if step == 2 else None
            tune.report({"loss": {"train": step * config["lr"]}, "bad": float("nan"), "other": 1}, checkpoint=saved)

    callback = AimLoggerCallback(metrics=["loss/train", "bad"])
    run = tune.RunConfig(name="e", storage_path=str(tmp_path), executor="inline", verbose=0, callbacks=[callback])
    space = {"lr": tune.grid_search([0.1, 0.2]), "net": {"layers": [3, 4]}}
    tune.Tuner(train, param_space=space, run_config=run).fit()
    first = stored(tmp_path / "e")
    assert first.keys() == {0.1, 0.2}
    assert [first[lr][1]["status"] for lr in (0.1, 0.2)] == ["finished", "failed"]
    for lr, last in ((0.1, 4), (0.2, 2)):
        _, attributes, traces = first[lr]
        assert attributes["hparams"] == {"lr": lr, "net/layers": "[3, 4]"}
        assert traces.keys() == {"loss/train"}
        loss = traces["loss/train"]
        assert (loss["first_step"], loss["last_step"]) == (1, last)
        assert (loss["first"], loss["last"]) == (pytest.approx(lr), pytest.approx(lr * last))
    (tmp_path / "mended").touch()
    tune.Tuner.restore(str(tmp_path / "e"), train, resume_errored=True).fit()
    again = stored(tmp_path / "e")
    assert {lr: told[0] for lr, told in again.items()} == {lr: told[0] for lr, told in first.items()}
    assert again[0.2][1]["status"] == "finished" and again[0.2][2]["loss/train"]["last_step"] == 4


def test_what_aim_cannot_hold_is_text_and_takes_nothing_along(tmp_path, caplog):
    callback = AimLoggerCallback()
    run = tune.RunConfig(name="e", storage_path=str(tmp_path), executor="inline", verbose=0, callbacks=[callback])
    space = {"lr": 0.1, "huge": 1 << 80, "text": "a\udc80", "list": [1]}
    tune.Tuner(lambda config: {"a\udc80": 1, "loss": 2}, param_space=space, run_config=run).fit()
    _, attributes, traces = stored(tmp_path / "e")[0.1]
    assert attributes["hparams"] == {"lr": 0.1, "huge": str(1 << 80), "text": "a\\udc80", "list": "[1]"}
    assert {"a\\udc80", "loss"} <= traces.keys()
    assert not caplog.records


def test_refusals(monkeypatch):
    with pytest.raises(BadArgument, match=r"metrics=\[\]"):
        AimLoggerCallback(metrics=[])
    monkeypatch.setitem(sys.modules, "aim", None)
    with pytest.raises(MissingLibrary, match=r"AimLoggerCallback needs aim: pip install 'luthier\[aim\]'"):
        AimLoggerCallback()
