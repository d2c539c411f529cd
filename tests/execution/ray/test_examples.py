"""Every example runs on a cluster as it is, unless it is said here why that makes no sense."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.test_examples import CHATTY, SAYS

EXAMPLES = Path(__file__).parents[3] / "examples"
NO_SENSE = {
    "sweep/demo.py": "starts a sweep's server and agents; what an agent runs is no trial of a Tuner",
    "sweep/digits.py": "is a training script that agents run",
    "batch/train.py": "is one, too",
    "wandb_keras.py": "is one by itself, without a Tuner",
    "wandb_pytorch.py": "is one by itself, without a Tuner",
}
BELOW = "serve_with_ray.py"  # which has a test of its own
QUICK = {"quickstart.py", "early_stopping.py"}  # the others import a library in each of their actors: make rayslow


def test_each_example_runs_or_makes_no_sense_here():
    known = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py")}
    assert known == SAYS.keys() | NO_SENSE.keys() | {BELOW}
    assert not SAYS.keys() & NO_SENSE.keys()
    assert SAYS.keys() > QUICK


@pytest.mark.timeout(620)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in sorted(SAYS)]
)
def test_example(cluster: Any, tmp_path: Path, name: str):
    own = {"RAY_ADDRESS": cluster.address, "LUTHIER_EXECUTOR": "ray", "LUTHIER_STORAGE_PATH": str(tmp_path / "results")}
    strict = ["-W", "error", "-W", "ignore:__array__ implementation:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *([] if name in CHATTY else strict), EXAMPLES / name],
        cwd=tmp_path,
        env={**os.environ, **own, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert SAYS[name] in done.stdout.splitlines()[-1]
    logs = list(tmp_path.glob("results/*/events/*.jsonl"))
    assert logs and not any('"worker":"local"' in log.read_text() for log in logs)


@pytest.mark.slow
def test_serving_the_best_checkpoint(cluster: Any, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    own = {"RAY_ADDRESS": cluster.address, "PORT": port, "LUTHIER_STORAGE_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, EXAMPLES / BELOW],  # Serve itself warns
        env={**os.environ, **own}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "of 100 digits sent by HTTP it reads 9" in done.stdout.splitlines()[-1]
