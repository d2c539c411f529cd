"""A run, with or without an agent."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pytest

import luthier
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError
from luthier.sweeps.attributes import Parameters, merged
from luthier.sweeps.run import init, log


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in ("SOCKET", "PARAMS", "RUN", "SWEEP", "RUN_DIR", "RESTORE"):
        monkeypatch.delenv(f"LUTHIER_{name}", raising=False)
    yield
    init().finish()


def chosen(tmp_path, monkeypatch, params):
    (tmp_path / "params.json").write_text(json.dumps(params))
    monkeypatch.setenv("LUTHIER_PARAMS", str(tmp_path / "params.json"))


def test_by_hand_it_has_the_defaults_and_keeps_what_is_logged():
    with luthier.init({"lr": 0.1}) as run:
        run.log({"loss": 1}, step=4)
        luthier.log({"loss": 2})
        run.summary["best"] = 1
        assert run.config.lr == 0.1 and run.id == "local" and run.restored is None
        assert run.history == [{"loss": 1, "_step": 4}, {"loss": 2}]
        assert dict(run.summary) == {"loss": 2, "_step": 4, "best": 1}
    with pytest.raises(LuthierError, match="after finish"):
        run.log({"loss": 3})
    assert luthier.init() is not run


def test_what_the_sweep_chose_counts(tmp_path, monkeypatch):
    chosen(tmp_path, monkeypatch, {"lr": 5, "model": {"depth": 2}, "new": [1]})
    run = init({"lr": 1, "model": {"depth": 1, "width": 8}, "epochs": 3})
    assert run.config.as_dict() == {"lr": 5, "model": {"depth": 2, "width": 8}, "epochs": 3, "new": [1]}
    again = init({"lr": 7, "late": 1})
    assert again is run and run.config.lr == 5 and run.config.late == 1


def test_a_namespace_gives_defaults():
    assert init(argparse.Namespace(lr=3)).config.lr == 3


@pytest.mark.parametrize("wrong", [3, "lr", [1], dict])
def test_what_gives_no_defaults_is_refused(wrong):
    with pytest.raises(BadArgumentType, match="config="):
        init(wrong)


def test_parameters_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("LUTHIER_PARAMS", str(tmp_path / "none.json"))
    with pytest.raises(LuthierError, match="LUTHIER_PARAMS"):
        init()
    (tmp_path / "none.json").write_text("{}")


def test_only_dicts_are_logged():
    with pytest.raises(BadArgumentType, match="metrics="):
        log(0.5)  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="checkpoint="):
        log({"a": 1}, checkpoint="not/there")
    with pytest.raises(BadArgumentType, match="checkpoint="):
        log({"a": 1}, checkpoint=3)  # type: ignore[arg-type]


def test_parameters_are_attributes_too():
    config = Parameters({"lr": 1, "items": 2, "model": {"depth": {"x": 3}}})
    assert config.model.depth.x == 3 and config["items"] == 2 and "lr" in dir(config)
    config.lr = 4
    config.model.depth = 5
    del config["items"]
    assert config.as_dict() == {"lr": 4, "model": {"depth": 5}} == config and len(config) == 2
    assert dict(**config)["lr"] == 4
    with pytest.raises(AttributeError, match=r"'lrr'; there are: lr, model"):
        _ = config.lrr


def test_parameters_can_be_copied_and_pickled():
    import copy
    import pickle

    config = Parameters({"model": {"depth": 3}})
    for twin in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        twin.model.depth = 4
        assert config.model.depth == 3


def test_merging_leaves_the_defaults_alone():
    defaults = {"a": {"b": 1}}
    assert merged(defaults, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}} and defaults == {"a": {"b": 1}}
    assert merged({"a": {"b": 1}}, {"a": 3}) == {"a": 3}


def test_init_is_light():
    code = "import luthier; luthier.init({'a': 1}); luthier.log({'b': 2}); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "" and not set(done.stdout.split()) & {"numpy", "pandas", "httpx", "yaml", "rich"}


def test_the_runs_config_and_summary_are_the_modules_own():
    luthier.init({"lr": 0.1})
    luthier.log({"loss": 2})
    luthier.summary["best"] = 1
    assert luthier.config.lr == 0.1 and dict(luthier.summary) == {"loss": 2, "best": 1}
    luthier.finish()
    assert dict(luthier.config) == {} and dict(luthier.summary) == {}, "those of the next run"
    with pytest.raises(AttributeError, match="configs"):
        luthier.configs  # noqa: B018 (it raises)
