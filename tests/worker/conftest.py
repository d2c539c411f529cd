from __future__ import annotations

import pytest

from luthier.core.terms import TrialId
from luthier.worker import notices
from luthier.worker.assignment import Assignment
from luthier.worker.attempt import run_attempt
from tests.worker.recorder import Recorder


@pytest.fixture(autouse=True)
def warnings_anew():
    notices.forget_all()


@pytest.fixture
def assigned(tmp_path):
    def assign(config=None, **changes):
        folder = tmp_path / "experiment" / "t_0"
        folder.mkdir(parents=True, exist_ok=True)
        fields = {
            "trial": TrialId("t_0"), "attempt": 1, "number": 0, "config": {} if config is None else config,
            "resources": {"cpu": 1.0}, "name": "t_0", "tag": "", "trial_dir": str(folder), "experiment": "experiment",
            "experiment_dir": str(folder.parent),
        }  # fmt: skip
        return Assignment(**{**fields, **changes})

    return assign


@pytest.fixture
def run(assigned):
    """``run(trainable, config, verdicts=(), **changes)`` -> (Exited, Recorder)."""

    def run(trainable, config=None, *, verdicts=(), interactive=False, **changes):
        channel = Recorder(*verdicts)
        return run_attempt(trainable, assigned(config, **changes), channel, interactive=interactive), channel

    return run
