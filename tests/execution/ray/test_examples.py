"""Every example runs on a cluster as it is, unless it is said here why that makes no sense."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.test_examples import SAYS

EXAMPLES = Path(__file__).parents[3] / "examples"
NO_SENSE = {
    "sweep/demo.py": "starts a sweep's server and agents; what an agent runs is no trial of a Tuner",
    "sweep/digits.py": "is a training script that agents run",
}
SLOW = {  # make rayexamples runs them, too
    "boosted_leaves.py": "15 actors, each of which imports LightGBM and scikit-learn",
    "boosted_trees.py": "12 actors, each of which imports XGBoost and scikit-learn",
    "population.py": "pauses its trials a hundred times, each time for a new actor",
    "pytorch_digits.py": "6 actors, each of which imports PyTorch and scikit-learn",
    "scikit_learn.py": "36 fits of candidates that are paused in between",
}


def test_each_example_runs_or_makes_no_sense_here():
    known = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py")}
    assert known == SAYS.keys() | NO_SENSE.keys()
    assert not SAYS.keys() & NO_SENSE.keys()
    assert SLOW.keys() < SAYS.keys()


@pytest.mark.timeout(620)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in sorted(SAYS)]
)
def test_example(cluster: Any, tmp_path: Path, name: str):
    own = {"RAY_ADDRESS": cluster.address, "LUTHIER_EXECUTOR": "ray", "LUTHIER_STORAGE_PATH": str(tmp_path / "results")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:__array__ implementation:DeprecationWarning", EXAMPLES / name],
        cwd=tmp_path,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert SAYS[name] in done.stdout.splitlines()[-1]
    logs = list(tmp_path.glob("results/*/events/*.jsonl"))
    assert logs and not any('"worker":"local"' in log.read_text() for log in logs)
