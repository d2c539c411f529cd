"""tune.run(resume=...), in today's spellings and the older ones."""

from __future__ import annotations

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, ExperimentExists
from luthier.tune.past import Past
from luthier.tune.resume import parsed
from tests.tune.restoring import cut, inline, stepping


def run(storage, trainable=stepping, **more):
    return tune.run(
        trainable,
        **{
            "name": "e",
            "config": {"x": tune.grid_search([1, 2]), "steps": 3},
            "storage_path": str(storage),
            "verbose": 0,
            "executor": "inline",
            **more,
        },
    )


def interrupted(tmp_path):
    """Return a storage path with an experiment in it whose driver was killed."""
    path = tune.Tuner(
        stepping, param_space={"x": tune.grid_search([1, 2]), "steps": 3}, run_config=inline(tmp_path / "whole")
    ).fit()
    (tmp_path / "killed").mkdir()
    cut(path.experiment_path, tmp_path / "killed" / "e", 3)
    return tmp_path / "killed"


@pytest.mark.parametrize("resume", [True, "LOCAL", "AUTO", "AUTO+ERRORED", "auto"])
def test_what_is_there_goes_on(tmp_path, resume):
    storage = interrupted(tmp_path)
    with pytest.raises(ExperimentExists):
        run(storage)
    with pytest.raises(ExperimentExists):
        run(storage, resume=False)
    analysis = run(storage, resume=resume)
    assert [t.last_result["step"] for t in analysis.trials] == [3, 3]
    assert [t.attempt for t in Past(storage / "e").experiment.trials.values()] == [2, 1]
    assert len(run(storage, resume=resume).trials) == 2  # there is nothing to do


def test_what_is_not_there(tmp_path):
    for resume in (True, "LOCAL", "ERRORED_ONLY", "RESTART_ERRORED"):
        with pytest.raises(BadArgument, match=r"resume=.*there is no experiment in .*/e; give 'AUTO'"):
            run(tmp_path, resume=resume)
        with pytest.raises(BadArgument, match=r"name=None .*that is to go on"):
            run(tmp_path, resume=resume, name=None)
    assert list(tmp_path.iterdir()) == []
    assert len(run(tmp_path, resume="AUTO").trials) == 2
    assert len(run(tmp_path, resume="AUTO", name=None).trials) == 2
    assert len(run(tmp_path, resume_config=tune.ResumeConfig(), name="f").trials) == 2


@pytest.mark.parametrize(
    ("resume", "unfinished", "errored"),
    [
        ("AUTO+ERRORED", "resume", "resume"),
        ("AUTO+RESTART_ERRORED", "resume", "restart"),
        ("LOCAL+ERRORED_ONLY", "skip", "resume"),
        ("AUTO+RESTART_ERRORED_ONLY", "skip", "restart"),
        ("ERRORED_ONLY", "skip", "resume"),
        ("RESTART_ERRORED", "resume", "restart"),
        ("True+ERRORED", "resume", "resume"),
    ],
)
def test_what_the_words_mean(resume, unfinished, errored):
    assert parsed(resume).config == tune.ResumeConfig(unfinished=unfinished, errored=errored)
    own = tune.ResumeConfig(finished="resume")
    assert parsed(resume, own).config is own


@pytest.mark.parametrize("resume", ["PROMPT", "REMOTE", "again", "AUTO+", "AUTO+ALL", 1.5])
def test_other_words_are_refused(tmp_path, resume):
    with pytest.raises(BadArgument, match=r"resume=.*give True or 'LOCAL'"):
        run(tmp_path, resume=resume)


def test_what_failed_runs_once_more(tmp_path):
    def fragile(config):
        if config["x"] == 2 and not (tmp_path / "fixed").exists():
            raise RuntimeError("not yet")
        tune.report({"loss": config["x"]})

    assert len(run(tmp_path, fragile, raise_on_failed_trial=False).trials) == 2
    with pytest.raises(tune.TuneError, match="did not complete"):
        run(tmp_path, fragile, resume=True)
    (tmp_path / "fixed").touch()
    analysis = run(tmp_path, fragile, resume="AUTO+ERRORED")
    assert [t.status for t in analysis.trials] == ["TERMINATED", "TERMINATED"]


def test_more_samples(tmp_path):
    run(tmp_path)
    assert len(run(tmp_path, resume=True, num_samples=2).trials) == 4
