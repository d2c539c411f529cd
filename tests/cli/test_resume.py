"""luthier resume: an experiment goes on from the command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from luthier import tune
from luthier.cli.commands import luthier
from luthier.core import events as ev
from luthier.core.errors import BadArgument
from luthier.tune import source
from luthier.tune.past import Past
from tests.tune.restoring import cut, events, inline

SCRIPT = """
import os
import time

from luthier import tune

WORDS = ["one", "two"]


class Model:
    pass


def train(config):
    for step in range(1, 4):
        time.sleep(float(os.environ.get("STEP_S", 0)))
        tune.report({"step": step, "word": WORDS[0], "kind": Model.__module__})


def tuner():
    return tune.Tuner(train, param_space={"x": tune.grid_search([1, 2])}, run_config=tune.RunConfig(name="e"))


LAST
"""
GUARDED = SCRIPT.replace("LAST", 'if __name__ == "__main__":\n    tuner().fit()')
UNGUARDED = SCRIPT.replace("LAST", "tuner().fit()")


def invoke(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(luthier, ["resume", *(str(a) for a in arguments)], prog_name="luthier")
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def shell(folder, *command: str, **env: str) -> subprocess.Popen[str]:
    surroundings = {**os.environ, "LUTHIER_STORAGE_PATH": str(folder / "results"), "PYTHONUNBUFFERED": "1", **env}
    surroundings.pop("LUTHIER_EXECUTOR", None)
    return subprocess.Popen(
        command, cwd=folder, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen[str], code: int = 0) -> str:
    out, err = process.communicate(timeout=100)
    assert process.returncode == code, err
    return out + err


def interrupted(folder, script: str) -> str:
    """Run *script* and press Ctrl-C after its first result; return the command that it says to go on with."""
    (folder / "script.py").write_text(script)
    process = shell(folder, sys.executable, "script.py", STEP_S="1")
    deadline = time.monotonic() + 60
    while not any((folder / "results" / "e").glob("train_*/result.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    told = re.search(r"^  luthier resume (.*)$", finished(process), re.MULTILINE)
    assert told
    return told[1]


@pytest.mark.parametrize(("script", "word"), [(GUARDED, "mended"), (UNGUARDED, "one")])
def test_what_a_script_began_goes_on(tmp_path, script, word):
    path = interrupted(tmp_path, script)
    (tmp_path / "script.py").write_text(script.replace('"one"', '"mended"'))  # the user has mended something
    out = finished(shell(tmp_path, sys.executable, "-m", "luthier.cli.main", "resume", path))
    if word == "mended":
        assert f"The trainable is {tmp_path / 'script.py'}:train." in out
    else:  # to import the script would be to tune once more
        assert "the copy that was kept with the experiment (line 24 of the script would tune once more)" in out
    trials = Past(path).experiment.trials.values()
    assert [(t.status.name, t.metrics["step"], t.metrics["word"], t.metrics["kind"]) for t in trials] == [
        ("DONE", 3, word, "__main__")
    ] * 2
    assert not (tmp_path / "results" / "e_2").exists()


def test_a_module_and_its_name(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "__init__.py").touch()
    (tmp_path / "project" / "training.py").write_text(GUARDED.replace("LAST", ""))
    (tmp_path / "begin.py").write_text(
        "from luthier import tune\nfrom project.training import train\n"
        "tune.Tuner(train, run_config=tune.RunConfig(name='e', verbose=0)).fit()\n"
    )
    finished(shell(tmp_path, sys.executable, "begin.py"))
    path = tmp_path / "results" / "e"
    command = (sys.executable, "-m", "luthier.cli.main", "resume", str(path), "--num-samples", "2")
    (tmp_path / "away").mkdir()
    process = subprocess.Popen(
        command, cwd=tmp_path / "away", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "The trainable is project.training:train" in finished(process)
    assert [t.metrics["step"] for t in Past(path).experiment.trials.values()] == [3, 3]


def lambda_like(config):
    tune.report({"loss": 1.0})


@pytest.fixture
def begun(tmp_path):
    def fit(trainable, **more):
        return tune.Tuner(trainable, run_config=inline(tmp_path, **more)).fit().experiment_path

    return fit


def test_more_samples_and_a_trainable_of_any_kind(begun, tmp_path):
    table = [2.0]
    path = begun(tune.with_parameters(lambda config, table: {"loss": table[0]}, table=table))
    out = invoke(path, "--num-samples", 3)
    assert "the copy that was kept" in out
    assert [t.metrics["loss"] for t in Past(path).experiment.trials.values()] == [2.0] * 3
    tune.register_trainable("by name", lambda config: {"loss": 3.0})
    path = begun("by name", name="f")
    invoke(path, "--num-samples", 2, "--verbose", 0)
    assert [t.metrics["loss"] for t in Past(path).experiment.trials.values()] == [3.0] * 2


def test_failed_trials(tmp_path, begun):
    def fragile(config):
        if not (tmp_path / "fixed").exists():
            raise RuntimeError("not yet")
        return {"loss": 1.0}

    path = ""
    for number, flag in enumerate(("--errored", "--restart-errored")):
        (tmp_path / "fixed").unlink(missing_ok=True)
        path = begun(fragile, name=f"{number}")
        (tmp_path / "fixed").touch()
        invoke(path)
        assert [t.status.name for t in Past(path).experiment.trials.values()] == ["FAILED"]
        invoke(path, flag)
        assert [t.status.name for t in Past(path).experiment.trials.values()] == ["DONE"]
        (last,) = (e for e in events(path, ev.Reopened) if e.rerun)
        assert last.from_scratch == (flag == "--restart-errored")
    assert "give one of the two" in invoke(path, "--errored", "--restart-errored", code=2)


def test_a_time_budget(tmp_path):
    config = tune.TuneConfig(time_budget_s=1e-6, num_samples=2)
    path = tune.Tuner(lambda_like, tune_config=config, run_config=inline(tmp_path)).fit().experiment_path
    invoke(path)
    assert not all(t.metrics for t in Past(path).experiment.trials.values()) or len(Past(path).experiment) < 2
    invoke(path, "--time-budget", "inf")
    assert len([t for t in Past(path).experiment.trials.values() if t.metrics]) == 2
    assert "seconds > 0" in invoke(path, "--time-budget", "0", code=2)


def test_what_cannot_be(begun, tmp_path):
    path = begun(lambda_like)
    assert "is no experiment of Luthier's" in invoke(tmp_path / "nowhere", code=2)
    assert "give MODULE:NAME" in invoke(path, "--trainable", "nonsense", code=2)
    assert "ModuleNotFoundError" in invoke(path, "--trainable", "no_such_module:train", code=2)
    assert "json has no train" in invoke(path, "--trainable", "json:train", code=2)
    assert "its name is 'dumps'" in invoke(path, "--trainable", "json:dumps", code=2)
    assert "your own" not in invoke("--help").splitlines()[0]
    assert "an experiment of your own" in " ".join(invoke("--help").split())
    (tmp_path / "script.py").write_text(UNGUARDED)
    assert "would tune once more" in invoke(path, "--trainable", tmp_path / "script.py:train", code=2)


def test_without_module_and_copy_it_says_what_to_give(begun, tmp_path):
    from luthier.store.card import ExperimentCard
    from luthier.tune import kit

    path = begun(lambda_like)
    kit.save(path, {**kit.load(path), "source": {"module": "gone", "qualname": "train", "script": "", "paths": []}})
    with pytest.raises(BadArgument, match=r"ModuleNotFoundError.*no copy of it was kept; give --trainable"):
        source.found_again(path, ExperimentCard.read(path))


def test_ctrl_c_while_it_goes_on(tmp_path):
    path = interrupted(tmp_path, GUARDED)
    command = (sys.executable, "-m", "luthier.cli.main", "resume", path)
    process = shell(tmp_path, *command, STEP_S="0.5")
    deadline = time.monotonic() + 60
    while not events(path, ev.Reopened) or not isinstance(events(path)[-1], ev.Reported):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert "luthier resume" in finished(process)
    finished(shell(tmp_path, *command))
    assert [t.metrics["step"] for t in Past(path).experiment.trials.values()] == [3, 3]


def test_a_copy_cut_anywhere(begun, tmp_path):
    path = begun(lambda_like)
    again = cut(path, tmp_path / "again", 1)
    invoke(again)
    assert [t.metrics["loss"] for t in Past(again).experiment.trials.values()] == [1.0]
