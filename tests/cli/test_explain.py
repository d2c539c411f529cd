"""luthier show --trial: every decision about a trial, and why."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from luthier import tune
from luthier.cli.commands import luthier
from luthier.core import events as ev
from luthier.core.terms import Outcome, Status, Then
from tests.callbacks.story import TRACEBACK, Story


def run(*arguments, code=0):
    result = CliRunner().invoke(luthier, [str(a) for a in arguments], prog_name="luthier")
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "told"
    story = Story(path)
    path.mkdir()
    trial, other = story.start(0, {"lr": 0.1, "x": 1}), story.start(1, {"lr": 0.2, "x": 1})
    cpu = {"cpu": 1.0}

    def halted(then, reason, *, exits=Outcome.HALTED, error="", **more):
        attempt = story.state.trials[trial].attempt
        story.emit(ev.Halted(trial, attempt, then, reason, **more))
        story.emit(ev.Exited(trial, attempt, exits, error))

    story.report(trial, loss=4.0)
    halted(Then.PAUSE, "rung 1: loss 4 is rank 2 of 2, waits", why={"rung": 1, "rank": 2, "of": 2})
    story.emit(ev.Paused(trial))
    story.emit(ev.Requeued(trial, {"lr": 0.1, "x": 1}, None, cpu, "promoted from rung 1: rank 1 of 4", {"rank": 1}))
    story.launch(trial)
    story.report(trial, loss=3.0)
    why = {"source": other, "old": {"lr": 0.1}, "new": {"lr": 0.24}}
    halted(Then.REQUEUE, "goes on from x_00001", config={"lr": 0.24, "x": 1}, why=why)
    story.emit(ev.Requeued(trial, {"lr": 0.24, "x": 1}, None, cpu))
    story.launch(trial)
    story.emit(ev.Exited(trial, 3, Outcome.ERROR, TRACEBACK), ev.Requeued(trial, {"lr": 0.24, "x": 1}, None, cpu))
    story.launch(trial)
    halted(Then.REQUEUE, "more room", resources={"cpu": 2.0})
    story.emit(ev.Requeued(trial, {"lr": 0.24, "x": 1}, None, {"cpu": 2.0}))
    story.launch(trial)
    story.report(trial, loss=2.5)
    halted(Then.STOP, "rung 9: loss 2.5 is worse\x1b[2J than the cutoff 2")
    story.emit(ev.Ended(trial, Status.STOPPED, "rung 9: loss 2.5 is worse\x1b[2J than the cutoff 2"))
    story.report(other, loss=1.0)
    story.end(other)
    story.start(2)
    story.close()
    return story.save("told")


def test_every_decision_is_told_in_order(directory):
    text = run("show", directory, "--trial", "f_x_00000")
    lines = text.splitlines()
    assert lines[0] == "f_x_00000: STOPPED, lr=0.24, x=1" and lines[1] == "training_iteration = 1, loss = 2.5"
    told = [" ".join(line.split()[1:] if line.lstrip().startswith("+") else line.split()) for line in lines[3:]]
    told = [line.partition("at 1 ")[2] or line for line in told]
    assert told == [
        "paused rung 1: loss 4 is rank 2 of 2, waits",
        "resumed promoted from rung 1: rank 1 of 4; restarts from the beginning",
        "perturbed goes on from x_00001",
        "lr: 0.1 -> 0.24",
        "tried again ValueError: no 7; restarts from the beginning",
        "resized more room",
        "stopped rung 9: loss 2.5 is worse\\x1b[2J than the cutoff 2",
    ]


def test_it_is_told_as_json(directory):
    told = json.loads(run("show", directory, "--trial", "00000", "--json"))
    assert told["trial"] == "f_x_00000" and told["status"] == "STOPPED"
    whats = [d["what"] for d in told["decisions"]]
    assert whats == ["paused", "resumed", "perturbed", "tried again", "resized", "stopped"]
    assert told["decisions"][0]["why"] == {"rung": 1, "rank": 2, "of": 2}
    assert all(d["after_s"] > 0 and d["training_iteration"] == 1 for d in told["decisions"])


def test_others_and_who_is_not_there(directory):
    assert run("show", directory, "--trial", "f_x_00001").splitlines()[-1].endswith("at 1    done")
    assert run("show", directory, "--trial", "x_00002").splitlines()[1:] == [
        "no result",
        "",
        "nothing was decided about it so far",
    ]
    assert run("show", directory, "--trial", "1").startswith("f_x_00001: ")
    assert "no trial of that name. Give one like f_x_0000" in run("show", directory, "--trial", "f_x_0000", code=2)


def test_the_overview_says_why_a_trial_was_stopped(directory):
    lines = run("show", directory).splitlines()
    head = next(line for line in lines if line.startswith("trial"))
    assert head.split()[-1] == "why"
    told = next(line for line in lines if line.startswith("f_x_00000"))
    assert told.endswith("rung 9: loss 2.5 is worse\\x1b[2J than the cutoff 2"), "it is cut"


def test_a_real_run_tells_rung_cutoff_and_rank(tmp_path):
    def train(config):
        for _ in range(4):
            tune.report({"loss": config["x"]})

    scheduler = tune.schedulers.ASHAScheduler(max_t=4, reduction_factor=2)
    tune.Tuner(
        train,
        param_space={"x": tune.grid_search([1, 2])},
        tune_config=tune.TuneConfig(metric="loss", mode="min", scheduler=scheduler),
        run_config=tune.RunConfig(storage_path=str(tmp_path), name="real", verbose=0, executor="inline"),
    ).fit()
    names = [line.split()[0] for line in run("show", tmp_path / "real").splitlines() if line.startswith("train_")]
    assert "stopped     rung 1: loss 2 is worse than the cutoff 1 (rank 2 of 2)" in run(
        "show", tmp_path / "real", "--trial", names[1]
    )
    assert "reached max_t" in run("show", tmp_path / "real", "--trial", names[0])
