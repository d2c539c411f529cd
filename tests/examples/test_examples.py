"""Every example runs as a script, as its reader would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Those that begin with wandb_ want a server: tests/server/wandb has one.
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("[!w]*.py"))
SAYS = {
    "quickstart.py": "best config {'x': 2,",
    "early_stopping.py": "after 20 steps",
    "population.py": "population: loss",
    "boosted_trees.py": "error of the best model, from its checkpoint: 0.0",
    "boosted_leaves.py": "error of the best model, from its checkpoint: 5",
    "scikit_learn.py": "accuracy on digits never seen: 0.9",
    "pytorch_digits.py": "accuracy of the best model, from its checkpoint: 0.9",
    "keras_digits.py": "accuracy of the best model, from its checkpoint: 0.9",
    "lightning_digits.py": "accuracy of the best module, from its checkpoint: 0.9",
    "transformers_tiny.py": "words of the best model, from its checkpoint: 30",
}


def test_each_example_is_known():
    assert {path.name for path in EXAMPLES} == SAYS.keys()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:__array__ implementation:DeprecationWarning", path],
        cwd=tmp_path,
        env={**os.environ, "LUTHIER_STORAGE_PATH": str(tmp_path / "results")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert SAYS[path.name] in done.stdout.splitlines()[-1]
    assert "\x1b" not in done.stdout
