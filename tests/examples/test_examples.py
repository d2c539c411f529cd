"""Every example runs as a script, as its reader would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "serve_with_ray.py",  # by tests/execution/ray, which has a cluster
    "wandb_keras.py", "wandb_pytorch.py",  # by tests/server/wandb, which has a server
}  # fmt: skip
CHATTY = {"model_in_mlflow.py"}  # MLflow warns, and says on stderr what it does
EXAMPLES = [path for path in sorted((ROOT / "examples").glob("*.py")) if path.name not in ELSEWHERE]
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
    "model_in_mlflow.py": "as the checkpoint itself: True; accuracy 0.9",
}


def test_each_example_is_known():
    assert {path.name for path in EXAMPLES} == SAYS.keys()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    strict = ["-W", "error", "-W", "ignore:__array__ implementation:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *([] if path.name in CHATTY else strict), path],
        cwd=tmp_path,
        env={**os.environ, "LUTHIER_STORAGE_PATH": str(tmp_path / "results"), "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" or path.name in CHATTY
    assert SAYS[path.name] in done.stdout.splitlines()[-1]
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("example", ["serve_with_ray.py", "model_in_mlflow.py"])
def test_the_page_on_serving_quotes_the_examples(example):
    page = (ROOT / "docs" / "how-to" / "serve-the-best-model.md").read_text("utf-8")
    written = {line.strip() for line in (ROOT / "examples" / example).read_text("utf-8").splitlines()}
    (block,) = [part for part in page.split("```text\n")[1:] if f"# examples/{example}\n" in part]
    lines = [line.strip() for line in block.partition("```")[0].splitlines()[1:]]
    assert len(lines) > 5 and {line for line in lines if line} <= written
